// The peer is gone while the question stands: what it said at last is read,
// and nothing more is said to it.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

ConnectionOptions Willing() {
  ConnectionOptions options;
  options.post_handshake_auth = true;
  return options;
}

struct Place {
  const char* name;
  int version;
  // Brings a pair to a question, with `behind` sent behind the request.
  void (*reach)(Pair* pair, const Bytes& behind);
  // The end of what can be done with what arrived.
  Step end;
};

void Handshake(Pair* pair, const Bytes&) {
  REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
}

void Open(Pair* pair) {
  REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
  pair->client().Decline();
  REQUIRE(pair->Run() == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->server().open());
}

void Renegotiation(Pair* pair, const Bytes&) {
  Open(pair);
  pair->server().Renegotiate();
  REQUIRE(pair->ReadAll() == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
}

void PostHandshake(Pair* pair, const Bytes& behind) {
  Open(pair);
  REQUIRE(pair->server().RequestPostHandshake());
  if (!behind.empty()) pair->server().Write(behind);
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
}

const Place kPlaces[] = {
    {"handshake", TLS1_2_VERSION, Handshake, Step::kWantRead},
    {"handshake", TLS1_3_VERSION, Handshake, Step::kWantRead},
    {"renegotiation", TLS1_2_VERSION, Renegotiation, Step::kWantRead},
    {"post-handshake", TLS1_3_VERSION, PostHandshake, Step::kWantRead},
};

std::unique_ptr<Pair> PairAt(const Place& place, const Bytes& behind = {}) {
  auto pair = std::make_unique<Pair>(AskingContext(), ServerOf(place.version),
                                     Willing());
  place.reach(pair.get(), behind);
  return pair;
}

// Whatever the operations return, none may write.
void CheckSilent(Pair* pair) {
  uint8_t buffer[64];
  (void)pair->client().Handshake();
  (void)pair->client().Write(Text("x"));
  (void)pair->client().Read(buffer, sizeof(buffer));
  (void)pair->client().Renegotiate();
  (void)pair->client().Shutdown();
  CHECK(pair->client().outgoing().empty());
}

// The server fails over what it is sent, and says so.
void ProvokeAlert(Pair* pair) {
  pair->server().Receive(Bytes{22, 3, 3, 0, 4, 99, 0, 0, 0});
  pair->server().Advance();
  REQUIRE(pair->server().failed());
}

}  // namespace

TEST_CASE("abandon: the question is over and nothing is written") {
  for (const Place& place : kPlaces) {
    CAPTURE(place.name);
    CAPTURE(place.version);
    const auto pair = PairAt(place);
    const size_t before = pair->wire().size();
    const int messages = static_cast<int>(pair->server().messages().size());
    pair->client().Abandon();
    CHECK_FALSE(pair->client().asked());
    CHECK(pair->ReadAll() == place.end);
    CHECK_FALSE(pair->client().failure());
    CheckSilent(pair.get());
    CHECK(pair->wire().size() == before);
    CHECK(static_cast<int>(pair->server().messages().size()) == messages);
  }
}

TEST_CASE("abandon: a late answer changes nothing") {
  for (const Place& place : kPlaces) {
    CAPTURE(place.name);
    CAPTURE(place.version);
    const auto pair = PairAt(place);
    const size_t before = pair->wire().size();
    pair->client().Abandon();
    pair->client().Answer(CredentialOf(ThePki().clients.at("p256")));
    pair->client().AskAgain();
    CHECK(pair->ReadAll() == place.end);
    CHECK(pair->wire().size() == before);
    CHECK(pair->client().log().certificate() ==
          HandshakeLog::Certificate::kSentEmpty);
  }
}

TEST_CASE("abandon: what was written and not taken is not sent") {
  const auto pair = PairAt(kPlaces[3]);
  pair->client().Decline();
  (void)pair->client().Handshake();
  CHECK_FALSE(pair->client().outgoing().empty());
  pair->client().Abandon();
  CHECK(pair->client().outgoing().empty());
}

TEST_CASE("abandon: the alert that ended it is read") {
  for (const Place& place : kPlaces) {
    CAPTURE(place.name);
    CAPTURE(place.version);
    const auto pair = PairAt(place);
    ProvokeAlert(pair.get());
    pair->Exchange();
    // The question stands in front of it.
    CHECK(pair->ReadAll() == Step::kWantClientCert);
    CHECK_FALSE(pair->client().log().received_alert());
    pair->client().Abandon();
    CHECK(pair->ReadAll() == Step::kFailed);
    REQUIRE(pair->client().failure());
    CHECK(pair->client().failure()->reason == FailureReason::kProtocol);
    CHECK(pair->client().log().received_alert());
    CHECK(Reasons(*pair->client().failure()).find("alert") !=
          std::string::npos);
    CHECK(pair->client().outgoing().empty());
  }
}

TEST_CASE("abandon: close_notify is read as such") {
  const Bytes close = {21, 3, 3, 0, 2, 1, 0};
  const auto plain = PairAt(kPlaces[0]);
  plain->client().Receive(close);
  plain->client().Abandon();
  CHECK(plain->ReadAll() == Step::kClosed);
  CHECK_FALSE(plain->client().failure());
  CheckSilent(plain.get());

  const auto pair = PairAt(kPlaces[3], Text("behind"));
  pair->server().Close();
  pair->client().Abandon();
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kClosed);
  CHECK(received == Text("behind"));
  CHECK_FALSE(pair->client().failure());
  CheckSilent(pair.get());
}

TEST_CASE("abandon: an end without close_notify is a failure") {
  for (const Place& place : kPlaces) {
    CAPTURE(place.name);
    CAPTURE(place.version);
    const auto pair = PairAt(place);
    pair->client().ReceiveEnd();
    CHECK(pair->ReadAll() == Step::kWantClientCert);
    pair->client().Abandon();
    CHECK(pair->ReadAll() == Step::kFailed);
    CHECK(Reasons(*pair->client().failure()) == "unexpected eof while reading");
    CHECK(pair->client().outgoing().empty());
  }
}

TEST_CASE("abandon: the data behind the request is read") {
  const auto pair = PairAt(kPlaces[3], Text("behind it"));
  const size_t before = pair->wire().size();
  pair->client().Abandon();
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("behind it"));
  CHECK(pair->wire().size() == before);
}

TEST_CASE("abandon: nobody is asked again, whatever else the peer wants") {
  for (const bool answered : {false, true}) {
    CAPTURE(answered);
    ConnectionOptions options = Willing();
    options.reselects = answered;
    Pair pair(AskingContext(), ServerOf(TLS1_3_VERSION), options);
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    if (answered) {
      pair.client().Answer(CredentialOf(ThePki().clients.at("p256")));
    } else {
      pair.client().Decline();
    }
    REQUIRE(pair.Run() == Step::kDone);
    pair.Exchange();
    REQUIRE(pair.server().RequestPostHandshake());
    pair.server().Write(Text("behind it"));
    pair.Exchange();
    pair.client().Abandon();
    Bytes received;
    CHECK(pair.ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("behind it"));
    CHECK(pair.client().outgoing().empty());
  }
}

TEST_CASE("abandon: before the server was judged") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.Run() == Step::kWantVerify);
    const size_t before = pair.wire().size();
    pair.client().Abandon();
    CHECK(pair.Run() == Step::kWantVerify);
    pair.client().RefuseServer(X509_V_ERR_CERT_REVOKED);
    CHECK(pair.Run() == Step::kFailed);
    CHECK(pair.client().failure()->reason == FailureReason::kVerifyFailed);
    CHECK(pair.wire().size() == before);
  }
}

TEST_CASE("abandon: twice, after a failure, and before anything") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    pair.client().Abandon();
    CHECK(pair.client().Handshake() == Step::kWantRead);
    CHECK(pair.client().outgoing().empty());
    pair.client().ReceiveEnd();
    CHECK(pair.client().Handshake() == Step::kFailed);
    pair.client().Abandon();
    CHECK(pair.client().Handshake() == Step::kFailed);
  }
}

}  // namespace tls_client_cert::test
