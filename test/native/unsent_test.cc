// No silent drop: what OpenSSL would replace by an empty Certificate is told
// in advance, and fails the connection where it is sent anyway.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }

Context::Pointer AtLevel(int level) {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "DEFAULT:@SECLEVEL=" + std::to_string(level);
  return MakeContext(options);
}

std::string NameOf(const std::optional<Failure>& failure) {
  if (!failure) return "none";
  return std::string(FailureReasonName(failure->reason)) + " " +
         std::to_string(failure->index);
}

// Neither an empty Certificate nor this one, not even in the last bytes.
void CheckNoCertificate(Pair* pair, const Identity& identity) {
  CHECK(pair->client().outgoing().empty());
  CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
  CHECK_FALSE(pair->server().open());
  CHECK_FALSE(Contains(pair->wire(), ChainOf(identity)[0]));
}

// Asks, answers and sets in advance `identity`, all of which must say `reason`.
void CheckUnsent(const Context::Pointer& context, const ServerOptions& server,
                 const Identity& identity, const std::string& reason) {
  const Credential::Pointer credential = CredentialOf(identity);

  Pair told(context, server);
  REQUIRE(told.RunPastVerify() == Step::kWantClientCert);
  CHECK(NameOf(told.client().WhyNotSent(*credential)) == reason);
  // Asking is free: the question stands.
  CHECK(told.Run() == Step::kWantClientCert);
  const size_t before = told.wire().size();
  told.client().Answer(credential);
  CHECK(told.Run() == Step::kFailed);
  CHECK(NameOf(told.client().failure()) == "not-sent 0");
  CHECK(told.wire().size() == before);
  CheckNoCertificate(&told, identity);
  CHECK(told.Run() == Step::kFailed);

  ConnectionOptions options;
  options.credentials = {credential};
  Pair set(context, server, options);
  CHECK(set.RunPastVerify() == Step::kFailed);
  CHECK(NameOf(set.client().failure()) == reason);
  CHECK(set.client().static_credential() == -1);
  // The server is told that something went wrong, and no more.
  CHECK(set.Records().back().type == SSL3_RT_ALERT);
  CHECK(set.server().alert() == SSL_AD_INTERNAL_ERROR);
  CheckNoCertificate(&set, identity);
}

void CheckSent(const Context::Pointer& context, const ServerOptions& server,
               const Identity& identity) {
  const Credential::Pointer credential = CredentialOf(identity);
  Pair pair(context, server);
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  CHECK(NameOf(pair.client().WhyNotSent(*credential)) == "none");
  pair.client().Answer(credential);
  CHECK(pair.Run() == Step::kDone);
  pair.Exchange();
  CHECK(pair.server().client_chain() == ChainOf(identity));
}

}  // namespace

TEST_CASE("unsent: a key below the security level") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& weak = ThePki().weak_key;
    CheckUnsent(AtLevel(2), ServerOf(version), weak, "key-too-small 0");
    CheckSent(AtLevel(1), ServerOf(version), weak);
    CheckUnsent(AtLevel(3), ServerOf(version), Client("rsa"),
                "key-too-small 0");
    CheckSent(AtLevel(3), ServerOf(version), Client("p256"));
  }
}

TEST_CASE("unsent: a signature below the security level") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& weak = ThePki().weak_signature;
    CheckUnsent(AtLevel(2), ServerOf(version), weak, "signature-too-weak 0");
    CheckUnsent(AtLevel(1), ServerOf(version), weak, "signature-too-weak 0");
    CheckSent(AtLevel(0), ServerOf(version), weak);
  }
}

TEST_CASE("unsent: a chain below the security level, named by its place") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& weak = ThePki().weak_chain;
    CheckUnsent(AtLevel(2), ServerOf(version), weak, "key-too-small 1");
    CheckSent(AtLevel(1), ServerOf(version), weak);
  }
}

TEST_CASE("unsent: a failure carries figures for its sentence") {
  Pair pair(AtLevel(2), ServerOptions());
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  const auto failure =
      pair.client().WhyNotSent(*CredentialOf(ThePki().weak_key));
  REQUIRE(failure);
  CHECK(failure->detail ==
        "a public key of 80 bits of security, below the 112 of security "
        "level 2");
}

TEST_CASE("unsent: no scheme in common") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions rsa_only = ServerOf(version);
    rsa_only.client_schemes = "rsa_pss_rsae_sha256:rsa_pkcs1_sha256";
    for (const char* kind :
         {"p256", "p384", "ed25519", "ed448", "rsa-pss", "brainpool256"}) {
      CAPTURE(kind);
      CheckUnsent(AtLevel(1), rsa_only, Client(kind), "no-common-scheme 0");
    }
    CheckSent(AtLevel(1), rsa_only, Client("rsa"));
  }
}

TEST_CASE("unsent: TLS 1.3 binds an ECDSA scheme to its curve") {
  ServerOptions options = ServerOf(TLS1_3_VERSION);
  options.client_schemes = "ecdsa_secp256r1_sha256";
  CheckUnsent(AtLevel(1), options, Client("p384"), "no-common-scheme 0");
  CheckSent(AtLevel(1), options, Client("p256"));
  options.version = TLS1_2_VERSION;
  CheckSent(AtLevel(1), options, Client("p384"));
}

TEST_CASE("unsent: signature_algorithms_cert") {
  // Intermediate A signs with ECDSA and SHA-256.
  ServerOptions options = ServerOf(TLS1_3_VERSION);
  options.certificate_schemes = {0, 4, 0x08, 0x04, 0x08, 0x05};
  for (const char* kind : {"rsa", "p256", "ed25519"}) {
    CAPTURE(kind);
    CheckUnsent(AtLevel(1), options, Client(kind),
                "certificate-scheme-refused 0");
  }
  options.certificate_schemes = {0, 4, 0x08, 0x04, 0x04, 0x03};
  CheckSent(AtLevel(1), options, Client("rsa"));
}

TEST_CASE("unsent: of several set in advance none fits, the first says why") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions server = ServerOf(version);
    server.client_schemes = "rsa_pss_rsae_sha256";
    ConnectionOptions options;
    options.credentials = {CredentialOf(ThePki().weak_signature),
                           CredentialOf(Client("p256"))};
    Pair pair(AtLevel(1), server, options);
    CHECK(pair.RunPastVerify() == Step::kFailed);
    CHECK(NameOf(pair.client().failure()) == "signature-too-weak 0");
    CheckNoCertificate(&pair, Client("p256"));
  }
}

TEST_CASE("unsent: found out byte by byte as well") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.client_schemes = "rsa_pss_rsae_sha256";
    Pair pair(AtLevel(1), options);
    pair.set_chunk(1);
    CHECK(pair.RunAnswering(CredentialOf(Client("p256"))) == Step::kFailed);
    CHECK(NameOf(pair.client().failure()) == "not-sent 0");
    CheckNoCertificate(&pair, Client("p256"));
  }
}

}  // namespace tls_client_cert::test
