//! What can go wrong, and why.
//!
//! A [`Refusal`] is precise and goes to the log. A [`Problem`] is what the caller sees (RFC 9457). Two total matches
//! without a wildcard join them, so a new refusal does not compile until somebody has decided what callers may learn
//! from it.

use super::problem::Problem;

macro_rules! refusals {
    ($($(#[doc = $doc:literal])* $variant:ident = $id:literal => $problem:ident,)+) => {
        /// Why a request was not forwarded, or not answered by its backend.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Refusal {
            $($(#[doc = $doc])* $variant,)+
        }

        impl std::fmt::Display for Refusal {
            /// Its id.
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.id())
            }
        }

        impl std::error::Error for Refusal {}

        impl Refusal {
            /// Every refusal, for the inventory that wants a test case of each.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable `snake_case` id under which the log names it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                }
            }

            /// What it means, in a sentence, for operators.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),*),)+
                }
            }

            /// What the caller is told.
            #[must_use]
            pub const fn problem(self) -> Problem {
                match self {
                    $(Self::$variant => Problem::$problem,)+
                }
            }
        }
    };
}

refusals! {
    /// No route matches the path.
    RouteUnknown = "route_unknown" => RouteNotFound,
    /// The route's customers are known by their hosts, and no customer's record lists this one.
    HostUnknown = "host_unknown" => RouteNotFound,
    /// The path has routes, none of them for this method.
    MethodNotOnRoute = "method_not_on_route" => MethodNotAllowed,
    /// A `%` that two hexadecimal digits do not follow: two readers would see two paths.
    PathMalformedPercent = "path_malformed_percent" => PathAmbiguous,
    /// Decoded once or more, the path would hold a dot segment and leave the backend's base path.
    PathDotSegment = "path_dot_segment" => PathAmbiguous,
    /// Decoded once or more, the path would hold a backslash, which some backends read as `/`.
    PathBackslash = "path_backslash" => PathAmbiguous,
    /// Decoded once or more, the path would hold a NUL, which some backends end the path at.
    PathNul = "path_nul" => PathAmbiguous,
    /// Some backends would read the path as that of another route, which guards differently.
    PathOfAnotherRoute = "path_of_another_route" => PathAmbiguous,
    /// `Connection` names more fields than any client has a use for; each would be looked for.
    ConnectionTooLong = "connection_too_long" => RequestMalformed,
    /// The request has more fields than are looked at.
    TooManyFields = "too_many_fields" => RequestMalformed,
    /// `Via` already names this gateway.
    LoopDetected = "loop_detected" => LoopDetected,
    /// A page of an origin that the route's CORS policy does not list asks for a WebSocket, for which browsers
    /// send no preflight.
    WebSocketOrigin = "websocket_origin" => Denied,
    /// The credential is in a cookie, in a field that is made of one, behind `Basic`, or a client certificate, and a page of an
    /// origin that the route's CORS policy does not list had it sent.
    CookieOrigin = "cookie_origin" => Denied,

    /// No credential where the route needs one.
    CredentialMissing = "credential_missing" => CredentialRequired,
    /// A credential in the API-key field and another in `Authorization`.
    CredentialInTwoFields = "credential_in_two_fields" => CredentialAmbiguous,
    /// Two credentials in one field, or the field sent twice; or the credential again in the path or the host, on a route whose
    /// service is shown them.
    CredentialRepeated = "credential_repeated" => CredentialAmbiguous,
    /// The field's scheme is not the configured one (for example `Basic`).
    CredentialScheme = "credential_scheme" => CredentialInvalid,
    /// The credential has neither an API key's form nor a token's.
    CredentialMalformed = "credential_malformed" => CredentialInvalid,
    /// The route accepts no credential of this kind.
    CredentialKindNotAccepted = "credential_kind_not_accepted" => CredentialInvalid,

    /// What the route requires of its callers does not hold: a scope or a permission is missing.
    RequirementNotMet = "requirement_not_met" => NotPermitted,
    /// The key or the customer may not be used from this address.
    AddressNotPermitted = "address_not_permitted" => NotPermitted,
    /// The key may not be used with this method.
    MethodNotPermitted = "method_not_permitted" => NotPermitted,
    /// The request has a body and does not say its size, on a route that takes bodies up to one.
    BodySizeUnknown = "body_size_unknown" => LengthRequired,
    /// The request's body is larger than the route takes.
    BodyTooLarge = "body_too_large" => ContentTooLarge,

    /// The operator's secret is wrong.
    OperatorSecret = "operator_secret" => CredentialInvalid,
    /// `X-Pointsman-Explain` where the configuration has no operator's secret: nobody can ask, and a question
    /// is not carried out.
    ExplainWithoutSecret = "explain_without_secret" => CredentialInvalid,

    /// The API key's checksum is wrong: mistyped, cut off or made up.
    ApiKeyChecksum = "api_key_checksum" => CredentialInvalid,
    /// No record is stored under the API key's digest.
    ApiKeyUnknown = "api_key_unknown" => CredentialInvalid,
    /// The `expiresAt` of the API key, or of the client certificate's record, has come.
    ApiKeyExpired = "api_key_expired" => CredentialInvalid,
    /// The record of the API key, or of the client certificate, says `disabled`.
    ApiKeyDisabled = "api_key_disabled" => CredentialInvalid,
    /// The API key is a root key: it is for the management API alone.
    ApiKeyRoot = "api_key_root" => CredentialInvalid,
    /// The record stored under the digest of the API key, or of the client certificate, cannot be read.
    ApiKeyRecordMalformed = "api_key_record_malformed" => GatewayMisconfigured,
    /// The key store failed and nothing usable is cached. Not "no such key".
    KeyStoreUnavailable = "key_store_unavailable" => GatewayUnavailable,

    /// The token is over 16 kB.
    TokenTooLarge = "token_too_large" => CredentialInvalid,
    /// Header, claims or signature is not canonical base64url (RFC 7515, section 2).
    TokenEncoding = "token_encoding" => CredentialInvalid,
    /// The token's header is not a JSON object.
    TokenHeader = "token_header" => CredentialInvalid,
    /// The token's claims are not a JSON object.
    TokenClaims = "token_claims" => CredentialInvalid,
    /// A member stands twice in the header or the claims.
    TokenDuplicateMember = "token_duplicate_member" => CredentialInvalid,
    /// `crit` is there: no extension is supported, so whatever it names is not (RFC 7515, section 4.1.11).
    TokenCritical = "token_critical" => CredentialInvalid,
    /// `b64` is there (RFC 7797): the payload would be read differently.
    TokenUnencodedPayload = "token_unencoded_payload" => CredentialInvalid,
    /// `cty` says that the token holds another token, or `enc`/`zip` that it is no plain JWS.
    TokenNested = "token_nested" => CredentialInvalid,
    /// `typ` names a token that is no access token (RFC 8725, section 3.11).
    TokenType = "token_type" => CredentialInvalid,
    /// `alg` is missing, unknown, or not on the issuer's list.
    TokenAlgorithm = "token_algorithm" => CredentialInvalid,
    /// `kid` is not a string.
    TokenKeyId = "token_key_id" => CredentialInvalid,
    /// `iss` is missing, no string, or of no issuer that the route accepts.
    TokenIssuer = "token_issuer" => CredentialInvalid,
    /// `aud` is missing, mistyped, or does not contain ours.
    TokenAudience = "token_audience" => CredentialInvalid,
    /// `exp` is missing or not a number.
    TokenExpiryMalformed = "token_expiry_malformed" => CredentialInvalid,
    /// `exp` has come (RFC 7519, section 4.1.4: "on or after").
    TokenExpired = "token_expired" => CredentialInvalid,
    /// `nbf` is not a number.
    TokenNotBeforeMalformed = "token_not_before_malformed" => CredentialInvalid,
    /// `nbf` has not come yet.
    TokenNotYetValid = "token_not_yet_valid" => CredentialInvalid,
    /// `iat` is not a number.
    TokenIssuedAtMalformed = "token_issued_at_malformed" => CredentialInvalid,
    /// `cnf` says that the token is good for the holder of a key only (RFC 7800): it was sent without a proof, or is bound in
    /// a way that its issuer is not configured for.
    TokenBoundToKey = "token_bound_to_key" => CredentialInvalid,
    /// The token is bound to no key, and its issuer's tokens, or those behind `DPoP`, must be.
    TokenNotBound = "token_not_bound" => CredentialInvalid,
    /// The client certificate of the connection is not verified, or is revoked.
    ClientCertificateRefused = "client_certificate_refused" => CredentialInvalid,
    /// No record is stored under the client certificate's fingerprint.
    ClientCertificateUnknown = "client_certificate_unknown" => CredentialInvalid,
    /// The token is bound to a client certificate, and the connection has none that was verified.
    ClientCertificateMissing = "client_certificate_missing" => CredentialInvalid,
    /// The token is bound to another client certificate than the connection's (RFC 8705, section 3).
    ClientCertificateOther = "client_certificate_other" => CredentialInvalid,
    /// There is no `DPoP` field with a proof for the token.
    DpopProofMissing = "dpop_proof_missing" => CredentialInvalid,
    /// The proof is none: two of them, no signed JWT of type `dpop+jwt`, or a member is missing or cannot be used.
    DpopProofMalformed = "dpop_proof_malformed" => CredentialInvalid,
    /// The proof is signed with another key than the token is bound to.
    DpopProofKey = "dpop_proof_key" => CredentialInvalid,
    /// The proof is of another request: `htm` or `htu` differs.
    DpopProofRequest = "dpop_proof_request" => CredentialInvalid,
    /// The proof is for another token: `ath` differs.
    DpopProofToken = "dpop_proof_token" => CredentialInvalid,
    /// The proof was made too long ago, or later than now.
    DpopProofTime = "dpop_proof_time" => CredentialInvalid,
    /// The proof has been used before.
    DpopProofReplayed = "dpop_proof_replayed" => CredentialInvalid,
    /// The proof's signature does not verify.
    DpopProofSignature = "dpop_proof_signature" => CredentialInvalid,
    /// The proof has no nonce of the gateway's that still counts; the answer has one.
    DpopNonce = "dpop_nonce" => CredentialInvalid,
    /// The token names a customer that its issuer may not speak for.
    TokenCustomerNotOfIssuer = "token_customer_not_of_issuer" => CredentialInvalid,
    /// The claim that holds the subject is there but no string.
    TokenSubject = "token_subject" => CredentialInvalid,
    /// The issuer's key set holds no key of the token's `kid`, or without a `kid` none that fits.
    TokenKeyUnknown = "token_key_unknown" => CredentialInvalid,
    /// The key that `kid` names does not fit `alg`, or cannot be used at all.
    TokenKeyUnusable = "token_key_unusable" => CredentialInvalid,
    /// The token or the keys have no `kid`, and more keys fit than are tried.
    TokenKeyAmbiguous = "token_key_ambiguous" => CredentialInvalid,
    /// The signature does not verify.
    TokenSignature = "token_signature" => CredentialInvalid,
    /// The issuer says that the token counts for nothing (RFC 7662): it was made up, has expired, or was ended.
    TokenInactive = "token_inactive" => CredentialInvalid,
    /// The issuer that is to say what the token is cannot be asked. Not "bad token".
    IntrospectionUnavailable = "introspection_unavailable" => GatewayUnavailable,
    /// The ledger does not answer an operator.
    LedgerUnavailable = "ledger_unavailable" => GatewayUnavailable,
    /// The token was revoked: by its `jti`, or by its `sub`.
    TokenRevoked = "token_revoked" => CredentialInvalid,
    /// Which tokens were revoked cannot be known now. Not "bad token".
    RevocationsUnavailable = "revocations_unavailable" => GatewayUnavailable,
    /// The issuer's keys cannot be had and none are cached. Not "bad token".
    KeySetUnavailable = "key_set_unavailable" => GatewayUnavailable,

    /// A rule needs the customer and the caller has no customer id.
    CustomerIdMissing = "customer_id_missing" => CustomerRequired,
    /// The customer id is there but no string that can name a customer.
    CustomerIdMalformed = "customer_id_malformed" => CustomerNotConfigured,
    /// The caller is of another customer than the one whose host was asked for.
    HostOfAnotherCustomer = "host_of_another_customer" => NotPermitted,
    /// No record of this customer exists.
    CustomerUnknown = "customer_unknown" => CustomerNotConfigured,
    /// The customer's record says `disabled`.
    CustomerDisabled = "customer_disabled" => CustomerNotConfigured,
    /// The customer's record cannot be used.
    CustomerRecordMalformed = "customer_record_malformed" => GatewayMisconfigured,
    /// The customer's record names a private network that `[customers] networks` does not list, or a field for a secret that
    /// `[customers.secrets] fields` does not.
    CustomerRecordNotPermitted = "customer_record_not_permitted" => GatewayMisconfigured,
    /// A secret in the customer's record cannot be opened: the gateway does not have the key, or it was changed.
    CustomerSecretUnusable = "customer_secret_unusable" => GatewayMisconfigured,
    /// The customer's record cannot be had and none is cached. Not "no such customer".
    CustomerSourceUnavailable = "customer_source_unavailable" => GatewayUnavailable,

    /// No rule of the route matches.
    NoRuleMatched = "no_rule_matched" => NoBackend,
    /// The rule that matched denies.
    DeniedByRule = "denied_by_rule" => Denied,
    /// The service that the route asks denies the request.
    DeniedByService = "denied_by_service" => Denied,
    /// The service that the route asks gave no answer that can be used, and the route lets nobody pass then.
    AuthorizationUnavailable = "authorization_unavailable" => GatewayUnavailable,
    /// No origin of the backend stands in a region that the rule allows.
    NoOriginInRegion = "no_origin_in_region" => NoBackend,
    /// A claim in the backend's host is missing or not exactly one DNS label.
    ClaimNotALabel = "claim_not_a_label" => NoBackend,

    /// A limit of the caller's is used up.
    RateLimited = "rate_limited" => RateLimited,
    /// A limit's counter did not answer, and the limit lets nobody pass then.
    LimitUnavailable = "limit_unavailable" => GatewayUnavailable,

    /// The request's body broke off before its end, or was no HTTP.
    RequestBodyBroken = "request_body_broken" => BodyBroken,
    /// The backend could not be reached, or its answer was no HTTP.
    BackendUnreachable = "backend_unreachable" => BackendUnreachable,
    /// The backend did not answer in time.
    BackendTimeout = "backend_timeout" => BackendTimeout,
    /// The gateway's configuration cannot be used; the log says why.
    Misconfigured = "misconfigured" => GatewayMisconfigured,
    /// Something failed that nobody foresaw: a fault of the gateway's own.
    InternalError = "internal_error" => GatewayError,
}

#[cfg(test)]
mod tests;
