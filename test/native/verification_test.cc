// Verify before reveal: the server is judged before anything leaves.
#include "pair.h"
#include "server_verification.h"

namespace tls_client_cert::test {

namespace {

const Identity& P256() { return ThePki().clients.at("p256"); }

struct Case {
  const Identity* server;
  const char* error;
  int alert;
};

// Untrusted servers, and the alert that OpenSSL has for each.
std::vector<Case> Cases() {
  const Pki& pki = ThePki();
  return {
      {&pki.self_signed_server, "DEPTH_ZERO_SELF_SIGNED_CERT",
       SSL_AD_UNKNOWN_CA},
      {&pki.expired_server, "CERT_HAS_EXPIRED", SSL_AD_CERTIFICATE_EXPIRED},
      {&pki.stranger_server, "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
       SSL_AD_UNKNOWN_CA},
  };
}

// That nothing but alerts (21) and, on TLS 1.3, the compatibility
// ChangeCipherSpec (20) left since the first `before` bytes.
void CheckOnlyAlertsSince(const Pair& pair, size_t before) {
  size_t position = 0;
  int alerts = 0;
  for (const WireRecord& record : pair.Records()) {
    position += record.size;
    if (position <= before) continue;
    CAPTURE(record.type);
    CAPTURE(record.size);
    CHECK((record.type == SSL3_RT_ALERT ||
           record.type == SSL3_RT_CHANGE_CIPHER_SPEC));
    alerts += record.type == SSL3_RT_ALERT ? 1 : 0;
  }
  CHECK(alerts == 1);
}

void CheckNothingRevealed(Pair* pair, const Identity& identity) {
  CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
  CHECK(pair->server().client_chain().empty());
  CHECK_FALSE(Contains(pair->wire(), ChainOf(identity)[0]));
  CHECK_FALSE(Contains(pair->wire(), NameDer(identity.certificate.get())));
}

}  // namespace

TEST_CASE("verification: the helper does see a certificate that was sent") {
  Pair pair(AskingContext(), ServerOf(TLS1_2_VERSION));
  CHECK(pair.RunAnswering(CredentialOf(P256())) == Step::kDone);
  CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
  CHECK(Contains(pair.wire(), ChainOf(P256())[0]));
}

TEST_CASE("verification: errors by name, and by the alert they send") {
  for (const int version : kVersions) {
    for (const Case& one : Cases()) {
      CAPTURE(version);
      CAPTURE(one.error);
      ServerOptions options = ServerOf(version);
      options.identity = one.server;
      Pair pair(AskingContext(), options);
      REQUIRE(pair.Run() == Step::kWantVerify);
      const int error = pair.client().server_chain_error();
      CHECK(std::string(VerifyErrorName(error)) == one.error);
      const size_t before = pair.wire().size();
      pair.client().RefuseServer(error);
      CHECK(pair.Run() == Step::kFailed);
      REQUIRE(pair.client().failure());
      CHECK(pair.client().failure()->reason == FailureReason::kVerifyFailed);
      CHECK(Reasons(*pair.client().failure()) == "certificate verify failed");
      CHECK(pair.server().failed());
      CHECK(pair.server().alert() == one.alert);
      CHECK(pair.client().attempt() == 0);
      CheckOnlyAlertsSince(pair, before);
      CheckNothingRevealed(&pair, P256());
    }
  }
}

TEST_CASE("verification: refused, a static credential does not leave either") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions server = ServerOf(version);
    server.identity = &ThePki().stranger_server;
    ConnectionOptions options;
    options.credentials = {CredentialOf(P256())};
    Pair pair(AskingContext(), server, options);
    REQUIRE(pair.Run() == Step::kWantVerify);
    const size_t before = pair.wire().size();
    pair.client().RefuseServer(pair.client().server_chain_error());
    CHECK(pair.Run() == Step::kFailed);
    CheckOnlyAlertsSince(pair, before);
    CheckNothingRevealed(&pair, P256());
  }
}

TEST_CASE("verification: a good chain may be refused for its name") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.Run() == Step::kWantVerify);
    CHECK(pair.client().server_chain_error() == X509_V_OK);
    const size_t before = pair.wire().size();
    pair.client().RefuseServer(X509_V_ERR_HOSTNAME_MISMATCH);
    CHECK(pair.Run() == Step::kFailed);
    CHECK(pair.client().failure()->reason == FailureReason::kVerifyFailed);
    CHECK(pair.server().alert() == SSL_AD_BAD_CERTIFICATE);
    CheckOnlyAlertsSince(pair, before);
    CheckNothingRevealed(&pair, P256());
  }
}

TEST_CASE("verification: refused without an error code is refused still") {
  Pair pair(AskingContext(), ServerOptions());
  REQUIRE(pair.Run() == Step::kWantVerify);
  pair.client().RefuseServer(X509_V_OK);
  CHECK(pair.Run() == Step::kFailed);
  CHECK(pair.client().failure()->reason == FailureReason::kVerifyFailed);
}

TEST_CASE("verification: an untrusted server may be accepted knowingly") {
  for (const int version : kVersions) {
    for (const Case& one : Cases()) {
      CAPTURE(version);
      CAPTURE(one.error);
      ServerOptions options = ServerOf(version);
      options.identity = one.server;
      Pair pair(AskingContext(), options);
      CHECK(pair.RunAnswering(CredentialOf(P256())) == Step::kDone);
      pair.Exchange();
      CHECK(pair.server().client_chain() == ChainOf(P256()));
      // What was wrong with it stays on record.
      CHECK(std::string(VerifyErrorName(pair.client().server_chain_error())) ==
            one.error);
    }
  }
}

TEST_CASE("verification: nobody can accept a server not yet seen") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.identity = &ThePki().stranger_server;
    Pair pair(AskingContext(), options);
    pair.client().AcceptServer();
    CHECK(pair.Run() == Step::kWantVerify);
    CHECK(pair.client().server_chain_error() != X509_V_OK);

    Pair refused(AskingContext(), options);
    refused.client().RefuseServer(X509_V_ERR_HOSTNAME_MISMATCH);
    CHECK(refused.Run() == Step::kWantVerify);
  }
}

TEST_CASE("verification: the answer given first counts") {
  Pair pair(AskingContext(), ServerOptions());
  REQUIRE(pair.Run() == Step::kWantVerify);
  pair.client().RefuseServer(X509_V_ERR_HOSTNAME_MISMATCH);
  pair.client().AcceptServer();
  CHECK(pair.Run() == Step::kFailed);
}

TEST_CASE("verification: it waits for as long as it takes") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    pair.set_chunk(1);
    REQUIRE(pair.Run() == Step::kWantVerify);
    const size_t before = pair.wire().size();
    pair.set_chunk(0);
    for (int i = 0; i < 5; i++) {
      CHECK(pair.Run() == Step::kWantVerify);
      CHECK(pair.client().server_chain_error() == X509_V_OK);
    }
    CHECK(pair.wire().size() == before);
    CHECK(sk_X509_num(pair.client().peer_chain()) == 2);
    pair.client().AcceptServer();
    CHECK(pair.Run() == Step::kWantClientCert);
  }
}

TEST_CASE("verification: a self-signed certificate within the chain") {
  const Pki& pki = ThePki();
  Identity server = Issue({"deep.example", &pki.root_b}, MakeKey("p256"));
  server.chain = {pki.root_b.certificate.get()};
  ServerOptions options;
  options.identity = &server;
  Pair pair(AskingContext(), options);
  REQUIRE(pair.Run() == Step::kWantVerify);
  CHECK(std::string(VerifyErrorName(pair.client().server_chain_error())) ==
        "SELF_SIGNED_CERT_IN_CHAIN");
}

TEST_CASE("verification: not yet valid, and names for what has none") {
  const Pki& pki = ThePki();
  const Identity future =
      Issue({"future.example", &pki.root_a, false, EVP_sha256(), 5, 10},
            MakeKey("p256"));
  ServerOptions options;
  options.identity = &future;
  Pair pair(AskingContext(), options);
  REQUIRE(pair.Run() == Step::kWantVerify);
  CHECK(std::string(VerifyErrorName(pair.client().server_chain_error())) ==
        "CERT_NOT_YET_VALID");
  CHECK(std::string(VerifyErrorName(X509_V_ERR_SUITE_B_INVALID_CURVE)) ==
        "UNSPECIFIED");
  CHECK(std::string(VerifyErrorName(12345)) == "UNSPECIFIED");
}

}  // namespace tls_client_cert::test
