// Asked anew at every request: another identity may answer.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

using Sent = HandshakeLog::Certificate;

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }

ConnectionOptions Reselecting() {
  ConnectionOptions options;
  options.post_handshake_auth = true;
  options.reselects = true;
  options.renegotiation_limit.count = 100;
  return options;
}

// The server asks anew; the client has still to read it.
void AskAgain(Pair* pair) {
  if (SSL_version(pair->server().ssl()) == TLS1_3_VERSION) {
    REQUIRE(pair->server().RequestPostHandshake());
  } else {
    pair->server().Renegotiate();
    REQUIRE(pair->ReadAll() == Step::kWantVerify);
    pair->client().AcceptServer();
  }
}

std::unique_ptr<Pair> OpenPair(int version, const Identity& identity,
                               const ConnectionOptions& options) {
  auto pair =
      std::make_unique<Pair>(AskingContext(), ServerOf(version), options);
  REQUIRE(pair->RunAnswering(CredentialOf(identity)) == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->server().client_chain() == ChainOf(identity));
  return pair;
}

}  // namespace

TEST_CASE("reselect: each request is a question, each answer counts") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("p256"), Reselecting());
    for (const char* kind : {"rsa", "ed25519", "p256", "p256", "p384"}) {
      CAPTURE(kind);
      AskAgain(pair.get());
      for (int i = 0; i < 3; i++) {
        CHECK(pair->ReadAll() == Step::kWantClientCert);
        CHECK(pair->client().attempt() == 1);
      }
      CHECK(pair->client().request().phase ==
            (version == TLS1_3_VERSION ? RequestPhase::kPostHandshake
                                       : RequestPhase::kRenegotiation));
      pair->client().Answer(CredentialOf(Client(kind)));
      CHECK(pair->ReadAll() == Step::kWantRead);
      CHECK(pair->server().client_chain() == ChainOf(Client(kind)));
      CHECK(pair->client().log().certificate() == Sent::kSent);
      CheckAlive(pair.get());
    }
  }
}

TEST_CASE("reselect: without it the first answer stays") {
  ConnectionOptions options = Reselecting();
  options.reselects = false;
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("p256"), options);
    AskAgain(pair.get());
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
    CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 2);
  }
}

TEST_CASE("reselect: declined after an answer, nothing of it is sent") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("p256"), Reselecting());
    AskAgain(pair.get());
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    pair->client().Decline();
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK_FALSE(pair->client().failure());
    CHECK(pair->server().client_chain().empty());
    CHECK(pair->client().log().certificate() == Sent::kSentEmpty);
    CheckAlive(pair.get());
    AskAgain(pair.get());
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    pair->client().Answer(CredentialOf(Client("rsa")));
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
  }
}

TEST_CASE("reselect: no chain of the last answer goes with the next") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("rsa"), Reselecting());
    AskAgain(pair.get());
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    // One of the same type of key, without a chain.
    pair->client().Answer(CredentialOf(ThePki().weak_key));
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->server().client_chain() == ChainOf(ThePki().weak_key));
    CHECK(ChainOf(ThePki().weak_key).size() == 1);
  }
}

TEST_CASE("reselect: while asked anew, nothing is sent and nothing lost") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("p256"), Reselecting());
    AskAgain(pair.get());
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    CHECK(pair->client().Write(Text("words")).step == Step::kWantClientCert);
    CHECK(pair->client().outgoing().empty());
    pair->client().AskAgain();
    CHECK(pair->ReadAll() == Step::kWantClientCert);
    CHECK(pair->client().attempt() == 2);
    pair->client().Answer(CredentialOf(Client("ed25519")));
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->client().Write(Text("words")).size == 5);
    pair->Exchange();
    CHECK(pair->server().plaintext() == Text("words"));
    CHECK(pair->server().client_chain() == ChainOf(Client("ed25519")));
  }
}

TEST_CASE("reselect: an answer that would not be sent fails, as the first") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version, Client("p256"), Reselecting());
    REQUIRE(SSL_set1_client_sigalgs_list(
                pair->server().ssl(),
                "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256") == 1);
    AskAgain(pair.get());
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    const size_t before = pair->wire().size();
    pair->client().Answer(CredentialOf(Client("ed25519")));
    // The earlier one would fit. It was not the answer.
    CHECK(pair->ReadAll() == Step::kFailed);
    CHECK(pair->client().failure()->reason == FailureReason::kNotSent);
    CHECK(pair->wire().size() == before);
  }
}

TEST_CASE("reselect: credentials set in advance leave no question") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ConnectionOptions options = Reselecting();
    options.credentials = {CredentialOf(Client("rsa"))};
    Pair pair(AskingContext(), ServerOf(version), options);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    AskAgain(&pair);
    CHECK(pair.ReadAll() == Step::kWantRead);
    CHECK(pair.server().client_chain() == ChainOf(Client("rsa")));
    CHECK(pair.client().static_credential() == 0);
  }
}

TEST_CASE("reselect: an abbreviated renegotiation asks nothing") {
  ServerOptions server = ServerOf(TLS1_2_VERSION);
  server.resumes_renegotiated = true;
  Pair pair(AskingContext(), server, Reselecting());
  REQUIRE(pair.RunAnswering(CredentialOf(Client("p256"))) == Step::kDone);
  pair.Exchange();
  pair.server().Renegotiate();
  CHECK(pair.ReadAll() == Step::kWantRead);
  CHECK(pair.renegotiations() == 1);
  CHECK(pair.server().client_chain()[0] == ChainOf(Client("p256"))[0]);
  CHECK(pair.client().log().certificate() == Sent::kSent);
}

}  // namespace tls_client_cert::test
