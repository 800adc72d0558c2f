// An SSL_CTX from a plain struct of options.
#include "context.h"

#include <openssl/err.h>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

std::string FailureOf(const ContextOptions& options) {
  auto made = Context::Create(options);
  CHECK(ERR_peek_error() == 0);
  return made.ok() ? "none" : FailureReasonName(made.failure().reason);
}

std::string FailureOf(const ConnectionOptions& options) {
  auto made = Connection::Create(AskingContext(), options);
  CHECK(ERR_peek_error() == 0);
  return made.ok() ? "none" : FailureReasonName(made.failure().reason);
}

}  // namespace

TEST_CASE("context: an option that OpenSSL refuses is named") {
  CHECK(FailureOf(ContextOptions()) == "none");
  ContextOptions options;
  options.min_version = 0x9999;
  CHECK(FailureOf(options) == "protocol-versions");
  options = {};
  options.max_version = 0x9999;
  CHECK(FailureOf(options) == "protocol-versions");
  options = {};
  options.cipher_list = "no-such-cipher";
  CHECK(FailureOf(options) == "cipher-list");
  options = {};
  options.cipher_suites = "TLS_NO_SUCH_SUITE";
  CHECK(FailureOf(options) == "cipher-suites");
  options = {};
  options.groups = "no-such-group";
  CHECK(FailureOf(options) == "groups");
  options = {};
  options.signature_schemes = "no-such-scheme";
  CHECK(FailureOf(options) == "signature-schemes");
}

TEST_CASE("context: lists with a zero in them are not cut short") {
  const auto check = [](std::optional<std::string> ContextOptions::* list,
                        const std::string& good, const std::string& reason) {
    ContextOptions options;
    options.*list = good;
    CHECK(FailureOf(options) == "none");
    for (const char* rest : {"", ":nonsense"}) {
      options.*list = good + std::string(1, '\0') + rest;
      CHECK(FailureOf(options) == reason);
    }
  };
  check(&ContextOptions::cipher_list, "ECDHE-RSA-AES128-GCM-SHA256",
        "cipher-list");
  check(&ContextOptions::cipher_suites, "TLS_AES_128_GCM_SHA256",
        "cipher-suites");
  check(&ContextOptions::groups, "X25519", "groups");
  check(&ContextOptions::signature_schemes, "RSA+SHA256", "signature-schemes");
  check(&ContextOptions::client_signature_schemes, "RSA+SHA256",
        "signature-schemes");
}

TEST_CASE("context: the options reach the wire") {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "ECDHE-ECDSA-AES256-GCM-SHA384:@SECLEVEL=1";
  options.groups = "P-384:P-256";
  options.signature_schemes = "ecdsa_secp256r1_sha256";
  ServerOptions server = ServerOf(TLS1_2_VERSION);
  server.auth = ClientAuth::kNone;
  Pair old(MakeContext(options), server);
  REQUIRE(old.RunPastVerify() == Step::kDone);
  CHECK(std::string(old.client().cipher().name) ==
        "ECDHE-ECDSA-AES256-GCM-SHA384");
  CHECK(std::string(old.client().cipher().version) == "TLSv1.2");
  CHECK(SSL_get_shared_group(old.server().ssl(), 0) == NID_secp384r1);

  options.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256";
  server.version = TLS1_3_VERSION;
  Pair fresh(MakeContext(options), server);
  REQUIRE(fresh.RunPastVerify() == Step::kDone);
  CHECK(std::string(fresh.client().cipher().name) ==
        "TLS_CHACHA20_POLY1305_SHA256");

  // With no scheme that fits the server's key there is no handshake.
  options.signature_schemes = "rsa_pss_rsae_sha256";
  Pair never(MakeContext(options), server);
  CHECK(never.Run() == Step::kFailed);

  options = TrustingOptions();
  options.options = SSL_OP_NO_TLSv1_3;
  server.version = 0;
  Pair barred(MakeContext(options), server);
  REQUIRE(barred.RunPastVerify() == Step::kDone);
  CHECK(std::string(barred.client().protocol()) == "TLSv1.2");
}

TEST_CASE("context: a partial chain is trusted where allowed") {
  const Bytes intermediate =
      CertificatePem(ThePki().intermediate_a.certificate.get());
  for (const bool allowed : {true, false}) {
    CAPTURE(allowed);
    ContextOptions options = TrustingOptions();
    options.trust = TrustStore::Create({intermediate}, {}, nullptr).value();
    options.allow_partial_trust_chain = allowed;
    Pair pair(MakeContext(options), ServerOptions());
    REQUIRE(pair.Run() == Step::kWantVerify);
    CHECK((pair.client().server_chain_error() == X509_V_OK) == allowed);
  }
}

TEST_CASE("context: whether a callback is registered can be read back") {
  const Context::Pointer context = MakeContext(TrustingOptions(), false);
  CHECK_FALSE(context->AsksForClientCert());
  CHECK((SSL_CTX_get_client_cert_cb(context->get()) == nullptr));
  context->SetAsksForClientCert(true);
  CHECK(context->AsksForClientCert());
  CHECK((SSL_CTX_get_client_cert_cb(context->get()) != nullptr));
  context->SetAsksForClientCert(false);
  CHECK((SSL_CTX_get_client_cert_cb(context->get()) == nullptr));
}

TEST_CASE("context: a connection refuses names it could not send whole") {
  ConnectionOptions options;
  CHECK(FailureOf(options) == "none");
  options.server_name = std::string(255, 'a');
  CHECK(FailureOf(options) == "none");
  options.server_name = std::string(256, 'a');
  CHECK(FailureOf(options) == "server-name");
  // A terminated string would end early, and name another server.
  options.server_name = std::string("good.example\0.evil.example", 26);
  CHECK(FailureOf(options) == "server-name");
}

TEST_CASE("context: a connection refuses malformed ALPN lists") {
  ConnectionOptions options;
  options.alpn_protocols = {2, 'h', '2'};
  CHECK(FailureOf(options) == "none");
  for (const Bytes& bad :
       {Bytes{3, 'h', '2'}, Bytes{0}, Bytes{2, 'h', '2', 0}, Bytes{255}}) {
    options.alpn_protocols = bad;
    CHECK(FailureOf(options) == "alpn-protocols");
  }
}

TEST_CASE("context: it outlives its owner as long as a connection needs it") {
  Context::Pointer context = AskingContext();
  Pair pair(context, ServerOptions());
  context.reset();
  CHECK(pair.RunPastVerify() == Step::kWantClientCert);
}

}  // namespace tls_client_cert::test
