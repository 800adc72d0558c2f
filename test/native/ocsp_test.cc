// The stapled OCSP response: seen once a handshake, before anything is shown.
#include <openssl/crypto.h>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Identity& P256() { return ThePki().clients.at("p256"); }

void Staple(Pair* pair) {
  SSL_CTX_set_tlsext_status_cb(
      pair->server().context(), +[](SSL* ssl, void*) -> int {
        const std::string response = "a response";
        SSL_set_tlsext_status_ocsp_resp(
            ssl, OPENSSL_memdup(response.data(), response.size()),
            static_cast<long>(response.size()));  // NOLINT: OpenSSL's type
        return SSL_TLSEXT_ERR_OK;
      });
}

ConnectionOptions Requesting() {
  ConnectionOptions options;
  options.requests_ocsp = true;
  return options;
}

Bytes Taken(Pair* pair) {
  const BytesView view = pair->client().TakeOcspResponse();
  return Bytes(view.data, view.data + view.size);
}

}  // namespace

TEST_CASE("ocsp: told of once, before the end of a handshake without request") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.auth = ClientAuth::kNone;
    Pair pair(AskingContext(), options, Requesting());
    Staple(&pair);
    REQUIRE(pair.RunPastVerify() == Step::kOcspResponse);
    CHECK(Taken(&pair) == Text("a response"));
    CHECK(pair.Run() == Step::kDone);
    CheckAlive(&pair);
  }
}

TEST_CASE("ocsp: told of before the server's question is") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version), Requesting());
    Staple(&pair);
    REQUIRE(pair.RunPastVerify() == Step::kOcspResponse);
    // Whoever does not take it is told again, and never passed over.
    CHECK(pair.Run() == Step::kOcspResponse);
    CHECK(Taken(&pair) == Text("a response"));
    REQUIRE(pair.Run() == Step::kWantClientCert);
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
    pair.client().Answer(CredentialOf(P256()));
    CHECK(pair.Run() == Step::kDone);
    CheckAlive(&pair);
  }
}

TEST_CASE("ocsp: a credential set in advance waits for it as well") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ConnectionOptions options = Requesting();
    options.credentials.push_back(CredentialOf(P256()));
    Pair pair(AskingContext(), ServerOf(version), options);
    Staple(&pair);
    REQUIRE(pair.RunPastVerify() == Step::kOcspResponse);
    CHECK_FALSE(Contains(pair.wire(), ChainOf(P256())[0]));
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
    Taken(&pair);
    CHECK(pair.Run() == Step::kDone);
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
  }
}

TEST_CASE("ocsp: a server that staples nothing is told of, too") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version), Requesting());
    REQUIRE(pair.RunPastVerify() == Step::kOcspResponse);
    CHECK(Taken(&pair).empty());
    CHECK(pair.Run() == Step::kWantClientCert);
  }
}

TEST_CASE("ocsp: once more in a renegotiation, with what was read before it") {
  Pair pair(AskingContext(), ServerOf(TLS1_2_VERSION), Requesting());
  Staple(&pair);
  REQUIRE(pair.RunPastVerify() == Step::kOcspResponse);
  Taken(&pair);
  REQUIRE(pair.Run() == Step::kWantClientCert);
  pair.client().Answer(CredentialOf(P256()));
  REQUIRE(pair.Run() == Step::kDone);
  CheckAlive(&pair);
  REQUIRE_FALSE(pair.client().Renegotiate());
  Step step = pair.ReadAll();
  REQUIRE(step == Step::kWantVerify);
  pair.client().AcceptServer();
  step = pair.ReadAll();
  REQUIRE(step == Step::kOcspResponse);
  CHECK(Taken(&pair) == Text("a response"));
  pair.ReadAll();
  CHECK(pair.renegotiations() == 1);
  CheckAlive(&pair);
}

TEST_CASE("ocsp: not asked for, not told of") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    Staple(&pair);
    CHECK(pair.RunAnswering(CredentialOf(P256())) == Step::kDone);
  }
}

}  // namespace tls_client_cert::test
