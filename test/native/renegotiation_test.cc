// TLS 1.2: the server asks for a handshake within the connection.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }

Bytes Text(const std::string& text) { return Bytes(text.begin(), text.end()); }

// The step at which reading stops once the server wants to renegotiate.
Step ReadStep(Pair* pair) {
  Bytes ignored;
  return pair->ReadAll(&ignored);
}

// Answered with `credential`, or declined where there is none.
std::unique_ptr<Pair> OpenPair(const Credential::Pointer& credential) {
  auto pair = std::make_unique<Pair>(AskingContext(), ServerOf(TLS1_2_VERSION));
  REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
  if (credential) {
    pair->client().Answer(credential);
  } else {
    pair->client().Decline();
  }
  REQUIRE(pair->Run() == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->server().open());
  return pair;
}

void CheckAlive(Pair* pair) {
  pair->server().Write(Text("alive"));
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("alive"));
}

}  // namespace

TEST_CASE("renegotiation: the server is judged anew, the credential reused") {
  const auto pair = OpenPair(CredentialOf(Client("p256")));
  pair->server().Renegotiate();
  CHECK(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  // The certificate stays with the SSL: nobody is asked a second time.
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->server().open());
  CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
  CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 2);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: refused, nothing more is revealed") {
  const auto pair = OpenPair(nullptr);
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().RefuseServer(X509_V_ERR_CERT_REVOKED);
  CHECK(ReadStep(pair.get()) == Step::kFailed);
  CHECK(pair->client().failure()->reason == FailureReason::kVerifyFailed);
  CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
}

TEST_CASE("renegotiation: one who declined is asked again") {
  const auto pair = OpenPair(nullptr);
  CHECK(pair->server().client_chain().empty());
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  for (int i = 0; i < 3; i++) {
    CHECK(ReadStep(pair.get()) == Step::kWantClientCert);
    CHECK(pair->client().attempt() == 1);
  }
  CHECK(pair->client().request().phase == RequestPhase::kRenegotiation);
  pair->client().Answer(CredentialOf(Client("ed25519")));
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("ed25519")));
  CHECK(pair->client().log().certificate() == HandshakeLog::Certificate::kSent);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: a credential that no longer fits is asked about") {
  for (const bool declines : {true, false}) {
    CAPTURE(declines);
    const auto pair = OpenPair(CredentialOf(Client("p256")));
    pair->server().Renegotiate("rsa_pss_rsae_sha256");
    REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
    pair->client().AcceptServer();
    REQUIRE(ReadStep(pair.get()) == Step::kWantClientCert);
    CHECK(pair->client().request().signature_schemes ==
          std::vector<SignatureScheme>{0x0804});
    if (declines) {
      pair->client().Decline();
    } else {
      pair->client().Answer(CredentialOf(Client("rsa")));
    }
    CHECK(ReadStep(pair.get()) == Step::kWantRead);
    CHECK_FALSE(pair->client().failure());
    CHECK(pair->server().client_chain() ==
          (declines ? std::vector<Bytes>() : ChainOf(Client("rsa"))));
    CheckAlive(pair.get());
  }
}

TEST_CASE("renegotiation: credentials set in advance are chosen anew") {
  ConnectionOptions options;
  options.credentials = {CredentialOf(Client("p256")),
                         CredentialOf(Client("rsa"))};
  Pair pair(AskingContext(), ServerOf(TLS1_2_VERSION), options);
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  CHECK(pair.server().client_chain() == ChainOf(Client("p256")));
  CHECK(pair.client().static_credential() == 0);
  pair.server().Renegotiate("rsa_pss_rsae_sha256");
  REQUIRE(ReadStep(&pair) == Step::kWantVerify);
  pair.client().AcceptServer();
  CHECK(ReadStep(&pair) == Step::kWantRead);
  CHECK(pair.server().client_chain() == ChainOf(Client("rsa")));
  CHECK(pair.client().static_credential() == 1);
  CheckAlive(&pair);
}

TEST_CASE("renegotiation: destroyed while asked a second time") {
  const auto pair = OpenPair(nullptr);
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(ReadStep(pair.get()) == Step::kWantClientCert);
  pair->DestroyClient();
}

TEST_CASE("renegotiation: writes made meanwhile wait and are not lost") {
  const auto pair = OpenPair(nullptr);
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  const Bytes words = Text("patience");
  CHECK(pair->client().Write(words).step == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(ReadStep(pair.get()) == Step::kWantClientCert);
  const Transfer waiting = pair->client().Write(words);
  CHECK(waiting.step == Step::kWantClientCert);
  CHECK(waiting.size == 0);
  pair->client().Decline();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->client().Write(words).size == words.size());
  pair->Exchange();
  CHECK(pair->server().plaintext() == words);
}

TEST_CASE("renegotiation: refused by option, no second handshake begins") {
  ContextOptions options = TrustingOptions();
  options.options = SSL_OP_NO_RENEGOTIATION;
  Pair pair(MakeContext(options), ServerOf(TLS1_2_VERSION));
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  pair.client().Decline();
  REQUIRE(pair.Run() == Step::kDone);
  pair.Exchange();
  pair.server().Renegotiate();
  // OpenSSL's server gives up; others go on with what they have.
  CHECK(ReadStep(&pair) == Step::kFailed);
  CHECK(pair.server().alert() == uint8_t{SSL_AD_NO_RENEGOTIATION});
  CHECK(pair.server().CountMessages(SSL3_MT_CLIENT_HELLO) == 1);
}

}  // namespace tls_client_cert::test
