//! Seals secrets for customers' backends, and opens what was sealed with a key that is at hand: JWEs (RFC 7516) of `dir` and
//! A256GCM, as `pointsman_core::customer::secret` reads them and the Worker opens them.

use std::{collections::HashMap, env, fs, path::Path};

use aes_gcm::{AeadInPlace, Aes256Gcm, Key, KeyInit, Nonce, Tag};
use base64ct::{Base64UrlUnpadded, Encoding};
use pointsman_core::{
    base::digest::Digest, customer::secret::header_of, identity::operator_secret::is_minted,
};
use serde_json::{Value, json};

use crate::{
    configuration::{GatewayFile, Project, Secrets, Source},
    dev_vars,
    ending::{Failure, input},
    entropy::random,
};

/// What a secret is sealed for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedFor<'a> {
    pub(crate) customer: &'a str,
    /// Scheme, host and port; behind `vpc:NAME/` in a private network.
    pub(crate) origin: &'a str,
    /// The field, in lower case.
    pub(crate) field: &'a str,
}

/// A key of `[customers.secrets]`.
pub(crate) struct SealingKey {
    pub(crate) id: String,
    cipher: Aes256Gcm,
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

const IV: usize = 12;
const TAG: usize = 16;

impl SealingKey {
    /// The key that the gateway makes of a secret of the Worker.
    ///
    /// # Errors
    /// That nobody minted it.
    fn new(id: &str, secret: &str) -> Result<Self, String> {
        if !is_minted(secret) {
            return Err(format!("the secret of key {id} is none that `pointsman secret create` made"));
        }
        let key = Digest::of(secret.as_bytes());
        Ok(Self { id: id.to_owned(), cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.bytes())) })
    }

    /// The secret `value`, sealed.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub(crate) fn seal(&self, to: SealedFor<'_>, value: &str) -> Result<String, Failure> {
        let mut iv = [0; IV];
        random(&mut iv).map_err(Failure::Input)?;
        let SealedFor { customer, origin, field } = to;
        let header = json!({ "alg": "dir", "enc": "A256GCM", "kid": self.id, "sub": customer, "aud": origin, "field": field });
        let header = encode(header.to_string().as_bytes());
        let mut text = value.as_bytes().to_vec();
        let sealed = self.cipher.encrypt_in_place_detached(&Nonce::from(iv), header.as_bytes(), &mut text);
        let tag = sealed.map_err(|_| input("the secret is too long"))?;
        let [iv, text, tag] = [&iv[..], &text, &tag].map(encode);
        Ok(format!("{header}..{iv}.{text}.{tag}"))
    }

    /// What was sealed with this key; `None` where it was not, or was changed.
    fn open(&self, sealed: &str) -> Option<String> {
        let parts: Vec<&str> = sealed.split('.').collect();
        let [header, "", iv, text, tag] = parts.as_slice() else { return None };
        let (iv, mut text, tag) = (decode(iv)?, decode(text)?, decode(tag)?);
        let (iv, tag) = (<[u8; IV]>::try_from(iv).ok()?, <[u8; TAG]>::try_from(tag).ok()?);
        let opened = self.cipher.decrypt_in_place_detached(
            &Nonce::from(iv),
            header.as_bytes(),
            &mut text,
            &Tag::from(tag),
        );
        opened.ok().and_then(|()| String::from_utf8(text).ok())
    }
}

/// The keys of `[customers.secrets]`, in the order of the file: the first one seals.
pub(crate) struct KeyRing {
    keys: Vec<(String, Result<SealingKey, String>)>,
}

impl KeyRing {
    /// The keys, as far as their secrets are at hand: in the environment under the names of the Worker's secrets, in
    /// `.dev.vars` for a local KV, or the first one in `file`.
    ///
    /// # Errors
    /// Where the configuration cannot be read or has no keys.
    pub(crate) fn read(
        gateway: &GatewayFile,
        project: &Project,
        is_local: bool,
        file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let path = gateway.path();
        let written = Source::read(&path, project, Secrets::Any)?.written();
        let keys = written.as_ref().and_then(|file| file.pointer("/customers/secrets/keys"));
        let keys = keys.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if keys.is_empty() {
            let what = "has no [customers.secrets] keys: add keys = [{ id = \"k1\", secret = \"${CUSTOMER_SECRETS_K1}\" }]";
            return Err(input(format!("{} {what}", path.display())));
        }
        let wrangler = project.wrangler();
        let local = if is_local {
            let failed = |problem| input(format!("{}: {problem}", wrangler.display()));
            dev_vars::beside(&wrangler, project.environment().as_deref()).map_err(failed)?
        } else {
            HashMap::new()
        };
        let mut of_file = file
            .map(|file| {
                fs::read_to_string(file).map_err(|problem| input(format!("{}: {problem}", file.display())))
            })
            .transpose()?;
        let text =
            |key: &Value, name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let keys = keys.iter().map(|key| {
            let (id, written) = (text(key, "id"), text(key, "secret"));
            let secret = match of_file.take() {
                Some(secret) => Ok(secret.trim().to_owned()),
                None => at_hand(&written, &local),
            };
            let key = secret.and_then(|secret| SealingKey::new(&id, &secret));
            (id, key)
        });
        Ok(Self { keys: keys.collect() })
    }

    /// The key that seals.
    ///
    /// # Errors
    /// Why it is not at hand.
    pub(crate) fn first(&self) -> Result<&SealingKey, Failure> {
        match self.keys.first() {
            Some((_, Ok(key))) => Ok(key),
            Some((_, Err(what))) => Err(input(what.clone())),
            None => Err(input("there is no key")),
        }
    }

    /// What was sealed, whatever key did.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) fn open(&self, sealed: &str) -> Result<String, String> {
        let kid = kid_of(sealed);
        let found = self.keys.iter().find(|(id, _)| *id == kid);
        let Some((_, key)) = found else { return Err(format!("[customers.secrets] has no key {kid:?}")) };
        let key = key.as_ref().map_err(Clone::clone)?;
        key.open(sealed).ok_or_else(|| format!("it was changed, or key {kid} had another secret"))
    }
}

/// The id of the key that a secret is sealed with.
pub(crate) fn kid_of(sealed: &str) -> String {
    said(sealed, "kid")
}

/// What the header of a sealed secret says; nothing where it says none.
pub(crate) fn said(sealed: &str, name: &str) -> String {
    let header = header_of(sealed).unwrap_or_default();
    header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A secret as `gateway.toml` writes it: by the name of the Worker's secret, which nothing can read back from Cloudflare.
fn at_hand(written: &str, local: &HashMap<String, String>) -> Result<String, String> {
    let name = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = name else { return Ok(written.to_owned()) };
    let set = env::var(name).ok().filter(|secret| !secret.is_empty()).or_else(|| local.get(name).cloned());
    let missing = || {
        format!(
            "the secret {name} is not at hand: set the variable {name} in the environment to what the Worker has, or name a file (--sealing-secret-file)"
        )
    };
    set.map(|secret| secret.trim().to_owned()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";

    fn key(id: &str, secret: &str) -> SealingKey {
        SealingKey::new(id, secret).unwrap()
    }

    fn ring(keys: Vec<SealingKey>) -> KeyRing {
        KeyRing { keys: keys.into_iter().map(|key| (key.id.clone(), Ok(key))).collect() }
    }

    const TO: SealedFor<'_> =
        SealedFor { customer: "acme", origin: "https://acme.example", field: "authorization" };

    #[test]
    fn what_is_sealed_opens_again_and_never_reads_the_same() {
        let one = key("k1", SECRET);
        let (sealed, again) = (one.seal(TO, "Bearer x").unwrap(), one.seal(TO, "Bearer x").unwrap());
        assert_ne!(sealed, again, "an iv that is used twice gives the key away");
        assert_eq!(ring(vec![one]).open(&sealed).as_deref(), Ok("Bearer x"));
        assert_eq!(
            ["kid", "sub", "aud", "field"].map(|name| said(&sealed, name)),
            ["k1", "acme", "https://acme.example", "authorization"]
        );
        assert!(!sealed.contains("Bearer"));
    }

    #[test]
    fn what_was_changed_or_sealed_with_another_key_does_not_open() {
        let sealed = key("k1", SECRET).seal(TO, "Bearer x").unwrap();
        let other = "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r";
        assert!(ring(vec![key("k1", other)]).open(&sealed).unwrap_err().contains("another secret"));
        assert!(ring(vec![key("k2", SECRET)]).open(&sealed).unwrap_err().contains("no key \"k1\""));
        let parts: Vec<&str> = sealed.split('.').collect();
        let elsewhere =
            key("k1", SECRET).seal(SealedFor { origin: "https://mine.example", ..TO }, "").unwrap();
        let own: Vec<&str> = elsewhere.split('.').collect();
        for place in [0, 2, 3, 4] {
            let mut changed = parts.clone();
            changed[place] = own[place];
            assert!(ring(vec![key("k1", SECRET)]).open(&changed.join(".")).is_err(), "part {place}");
        }
        assert!(SealingKey::new("k1", "password").is_err());
    }
}
