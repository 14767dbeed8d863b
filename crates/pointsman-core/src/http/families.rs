//! Fields that other proxies, servers and platforms set, and that what stands behind them believes: who is calling, by
//! which certificate, from where, for which URL. This gateway sets none of them, so one that arrives is the client's own.
//!
//! Names are compared as [`super::fields::canonical`] folds them: `REMOTE_USER` is `remote-user`. They are judged once a
//! name and isolate, so the length of these lists costs no request anything.

/// Whole names.
const NAMES: &[&str] = &[
    // Kong: the caller is the consumer for those without a credential.
    "x-anonymous-consumer",
    // AWS Lambda Web Adapter: the event's context as JSON, the authorizer's claims in it.
    "x-amzn-lambda-context",
    "x-amzn-request-context",
    // Kong and APISIX (openid-connect): claims as base64 JSON, not signed.
    "x-id-token",
    "x-userinfo",
    // nginx and HAProxy by custom: parts of the client's certificate.
    "x-client-dn",
    "x-client-fingerprint",
    "x-client-issuer",
    "x-client-issuer-dn",
    "x-client-s-dn",
    "x-client-san",
    "x-client-serial",
    "x-client-subject",
    "x-client-subject-dn",
    "x-client-verified",
    "x-client-verify",
    // Broadcom (CA) SiteMinder, and what older agents of it set.
    "sm-authtype",
    "sm-universalid",
    "smuser",
    // CGI makes HTTP_PROXY of it, which many HTTP clients take for their proxy (httpoxy, CVE-2016-5385).
    "proxy",
    // The client's address, as Java servers and CDNs look for it.
    "ali-cdn-real-ip",
    "clientip",
    "do-connecting-ip",
    "forwarded-for",
    "http-client-ip",
    "incap-client-ip",
    "proxy-client-ip",
    "x-clientip",
    "x-originating-ip",
    "x-sucuri-clientip",
    // The scheme that the client spoke; Microsoft's servers, and some frameworks, take it for "this was TLS".
    "front-end-https",
    "x-scheme",
    "x-url-scheme",
    // Azure App Service: the host that the client asked for.
    "disguised-host",
    // Next.js and Vercel: which page is rendered, and what was matched already.
    "x-matched-path",
    "x-prerender-bypass-mode",
    "x-prerender-revalidate",
];

/// Beginnings of names.
const PREFIXES: &[&str] = &[
    // Who is calling: the user of an authenticating proxy in front.
    "remote-", // CGI (RFC 3875, section 4.1.11), Authelia: Remote-User, -Groups, -Name, -Email; Remote-Addr
    "x-remote-", // Kubernetes' authenticating proxy: X-Remote-User, -Group, -Extra-…
    "x-auth-", // oauth2-proxy (X-Auth-Request-…), Keycloak Gatekeeper (X-Auth-Username, -Roles, …)
    "x-authenticated-", // Kong (OAuth 2.0): X-Authenticated-Userid, -Scope; this gateway's own default
    "x-authentik-", // authentik
    "x-authelia-", // Authelia
    "x-webauth-", // Grafana's auth proxy
    "x-pomerium-", // Pomerium: X-Pomerium-Claim-…, -Jwt-Assertion
    "x-vouch-", // Vouch Proxy
    "x-token-", // caddy-security: X-Token-Subject, -User-Email, -User-Roles
    "x-jwt-",  // WSO2 (X-JWT-Assertion), Istio's outputClaimToHeaders: claims, not signed
    "x-consumer-", // Kong, APISIX: X-Consumer-Username
    "x-credential-", // Kong: X-Credential-Identifier
    "x-proxy-", // X-Proxy-User and its kind
    "x-proxyuser-", // X-ProxyUser-Ip
    "x-shib-", // Shibboleth with ShibUseHeaders
    "shib-",
    "oidc-",   // mod_auth_openidc: OIDC_CLAIM_sub
    "x-oidc-", // lua-resty-openidc and others by custom
    "mellon-", // mod_auth_mellon (SAML)
    "x-saml-",
    "sm-user",      // SiteMinder: SM_USER, SM_USERDN
    "sm-server",    // … SM_SERVERSESSIONID
    "iv-",          // IBM WebSEAL: iv-user, iv-groups, iv-creds
    "oam-",         // Oracle Access Manager: OAM_REMOTE_USER
    "impersonate-", // Kubernetes: whoever the gateway is to it would act as somebody else
    "tailscale-",   // Tailscale Serve: Tailscale-User-Login
    "teleport-",    // Teleport: Teleport-Jwt-Assertion
    "ngrok-",       // ngrok: Ngrok-Auth-User-Email
    "x-replit-",    // Replit: X-Replit-User-Id
    "l5d-",         // Linkerd: l5d-client-id, l5d-dst-override
    "x-istio-",     // Istio: attributes of the peer
    // The same, and where a request came from, of clouds.
    "x-ms-client-",   // Azure App Service: X-MS-CLIENT-PRINCIPAL, -ID, -NAME, -IDP
    "x-ms-token-",    // … X-MS-TOKEN-AAD-ID-TOKEN
    "x-ms-original-", // Azure Static Web Apps: another URL than the one that was authorized
    "x-waws-",        // Azure App Service: X-WAWS-Unencoded-URL
    "x-arr-",         // … X-ARR-ClientCert, X-ARR-SSL
    "x-azure-",       // Azure Front Door: X-Azure-ClientIP, -FDID (by which origins know it)
    "x-fd-",
    "x-goog-",       // Google IAP: X-Goog-Authenticated-User-Email, -Iap-Jwt-Assertion
    "x-appengine-",  // App Engine: X-Appengine-User-Email, -Inbound-Appid, -Cron
    "x-cloudtasks-", // Cloud Tasks: its presence is what handlers check
    "x-cloudscheduler",
    "x-endpoint-api-", // Google's ESPv2: X-Endpoint-API-UserInfo
    "x-apigateway-",   // Google API Gateway (-Api-Userinfo), serverless-express (-Event)
    "x-amzn-oidc-",    // AWS load balancers: X-Amzn-Oidc-Identity, -Data
    "x-amzn-mtls-",    // … the client's certificate
    "x-amzn-tls-",
    "x-amzn-vpce-", // AWS PrivateLink: which endpoint a request came by
    "x-amz-cf-",    // CloudFront; other X-Amz-… are what clients sign with
    "cloudfront-",  // CloudFront-Viewer-Address, -Country, -Tls
    "x-vercel-",    // X-Vercel-Forwarded-For, -Oidc-Token
    "x-now-",       // X-Now-Route-Matches: poisons caches (CVE-2024-46982)
    "x-nextjs-",
    "x-invoke-",     // Next.js: X-Invoke-Path renders another page
    "x-middleware-", // Next.js: X-Middleware-Subrequest passes over its middleware (CVE-2025-29927)
    "x-nf-",         // Netlify: X-NF-Client-Connection-IP
    "fastly-",       // Fastly-Client-IP, -FF, -SSL
    "fly-",          // Fly.io: Fly-Client-IP, and which instance answers
    "true-client-",  // Akamai, Cloudflare
    "x-real-",       // nginx by custom: X-Real-IP
    "cloudflare-",   // Cloudflare-Workers-Version-Overrides: which version of a backend's Worker runs
    // The client's certificate.
    "client-cert", // RFC 9440: Client-Cert, Client-Cert-Chain
    "x-client-cert",
    "ssl-", // ingress-nginx (ssl-client-verify), Apache (SSL_CLIENT_S_DN)
    "x-ssl-",
    "x-tls-client-",
    "wl-proxy-", // WebLogic: WL-Proxy-Client-Cert, -SSL
    "-ws",       // WebSphere's plug-in: $WSRU (the user), $WSCC (the certificate), $WSRA (the address)
    // Another URL, file or method than the one that was authorized.
    "x-forwarded-",
    "x-original-",
    "x-rewrite-",
    "x-envoy-",   // Envoy: X-Envoy-Original-Path, and its retries and timeouts
    "x-accel-",   // nginx; Rack takes X-Accel-Mapping from requests
    "x-sendfile", // … X-Sendfile-Type
    "http-x-forwarded-",
    // This gateway's own, which are no business of a backend's.
    "x-pointsman-",
];

/// Names of these families that are a client's own: a credential or signature for the backend itself, or what a
/// backend's own library sends from the browser. None of them is believed without being checked.
const CLIENTS_OWN: &[&str] = &[
    // OpenStack, BigCommerce, exchanges and others: tokens and signatures.
    "x-auth-api-key",
    "x-auth-apikey",
    "x-auth-client",
    "x-auth-code",
    "x-auth-date",
    "x-auth-key",
    "x-auth-nonce",
    "x-auth-secret",
    "x-auth-signature",
    "x-auth-timestamp",
    "x-auth-token",
    "x-auth-version",
    "x-jwt-token",
    // Azure's client libraries: ids for support.
    "x-ms-client-request-id",
    "x-ms-client-session-id",
    // Fastly's API, and its purges.
    "fastly-key",
    "fastly-soft-purge",
    // The pages router of Next.js asks so for a page's data.
    "x-nextjs-data",
    // The way into a protected deployment at Vercel, which is a secret of its own.
    "x-vercel-protection-bypass",
    "x-vercel-set-bypass-cookie",
    "ngrok-skip-browser-warning",
];

/// Whether a field, its name folded, is one that only a proxy may set.
pub(super) fn is_set_by_proxies(folded: &str) -> bool {
    NAMES.contains(&folded)
        || (PREFIXES.iter().any(|prefix| folded.starts_with(prefix)) && !CLIENTS_OWN.contains(&folded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fields::canonical;

    #[test]
    fn identity_fields_of_other_proxies_are_known_in_every_spelling() {
        for name in [
            "Remote-User",
            "REMOTE_USER",
            "Remote.Groups",
            "Remote-Name",
            "Remote-Email",
            "X-Remote-User",
            "X-Remote-Extra-Scopes",
            "X-Auth-Request-User",
            "X_Auth_Request_Email",
            "X-Auth-User",
            "X-Auth-Username",
            "X-Auth-Email",
            "X-Authenticated-By",
            "X-Authenticated-Userid",
            "X-Forwarded-User",
            "X-Forwarded-Client-Cert",
            "X-MS-CLIENT-PRINCIPAL",
            "X-MS-Client-Principal-Id",
            "X-MS-TOKEN-AAD-ID-TOKEN",
            "X-Goog-Authenticated-User-Email",
            "X-Goog-Iap-Jwt-Assertion",
            "X-Amzn-Oidc-Data",
            "X-Amzn-Mtls-Clientcert-Subject",
            "X-Amz-Cf-Id",
            "X-SSL-Client-Cert",
            "X-SSL-Cert",
            "SSL_CLIENT_S_DN",
            "ssl-client-verify",
            "X-Client-Cert",
            "X-Client-Certificate",
            "X-Client-Verify",
            "X-Client-DN",
            "X-ARR-ClientCert",
            "Client-Cert",
            "Client-Cert-Chain",
            "X-WEBAUTH-USER",
            "X-Pomerium-Claim-Email",
            "X-Vouch-User",
            "X-authentik-username",
            "X-Token-Subject",
            "X-Consumer-Username",
            "X-Credential-Identifier",
            "X-Anonymous-Consumer",
            "X-Userinfo",
            "X-ID-Token",
            "X-JWT-Assertion",
            "X-Endpoint-API-UserInfo",
            "X-Apigateway-Api-Userinfo",
            "Proxy",
            "X-Accel-Redirect",
            "X-Sendfile-Type",
            "X-Middleware-Subrequest",
            "X-Nextjs-Rewrite",
            "X-Vercel-Forwarded-For",
            "X-Now-Route-Matches",
            "Fastly-Client-IP",
            "True-Client-IP",
            "Fly-Client-IP",
            "X-Azure-ClientIP",
            "X-FD-HealthProbe",
            "CloudFront-Viewer-Address",
            "X-Envoy-External-Address",
            "X-Original-URL",
            "X-Rewrite-URL",
            "Cloudflare-Workers-Version-Overrides",
            "Cloudflare_Workers_Version_Key",
            "WL-Proxy-Client-Cert",
            "$WSRU",
            "Impersonate-User",
            "Tailscale-User-Login",
            "OIDC_CLAIM_sub",
            "X-OIDC-User",
            "X_SAML_NameID",
        ] {
            assert!(is_set_by_proxies(&canonical(name)), "{name}");
        }
    }

    /// What clients of backends send, and must go on sending through a gateway.
    #[test]
    fn what_clients_send_of_their_own_passes() {
        for name in [
            "accept",
            "api-key",
            "apikey",
            "authorization-source",
            "baggage",
            "cdn-loop",
            "content-type",
            "cookie",
            "dpop",
            "idempotency-key",
            "next-router-state-tree",
            "openai-beta",
            "origin",
            "prefer",
            "priority",
            "remote",
            "rsc",
            "sec-fetch-mode",
            "stripe-signature",
            "stripe-version",
            "traceparent",
            "x-access-token",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-meta-owner",
            "x-amz-security-token",
            "x-amz-target",
            "x-amzn-trace-id",
            "x-api-key",
            "x-api-version",
            "x-auth-key",
            "x-auth-token",
            "x-b3-traceid",
            "x-client-id",
            "x-client-info",
            "x-client-version",
            "x-cloud-trace-context",
            "x-correlation-id",
            "x-csrf-token",
            "x-datadog-trace-id",
            "x-github-event",
            "x-hasura-role",
            "x-hub-signature-256",
            "x-ms-client-request-id",
            "x-ms-date",
            "x-ms-version",
            "x-nextjs-data",
            "x-requested-with",
            "x-serverless-authorization",
            "x-session-id",
            "x-shopify-hmac-sha256",
            "x-signature",
            "x-tenant-id",
            "x-token",
            "x-trace-id",
            "x-user-agent",
            "x-user-id",
            "x-vercel-protection-bypass",
            "x-xsrf-token",
            "x-zumo-auth",
        ] {
            assert!(!is_set_by_proxies(&canonical(name)), "{name}");
        }
    }

    #[test]
    fn names_are_written_as_they_are_compared() {
        for name in NAMES.iter().chain(PREFIXES).chain(CLIENTS_OWN) {
            assert_eq!(*name, canonical(name));
        }
        for name in CLIENTS_OWN {
            assert!(PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name} needs no exception");
        }
    }
}
