// Plaintext both ways, and the ways in which a connection ends.
#include <cstring>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

Bytes Megabyte() {
  Bytes bytes(1 << 20);
  uint32_t state = 1;
  for (uint8_t& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

Step ReadStep(Pair* pair) { return pair->ReadAll(); }

// A handshake in which nobody asks for anything.
std::unique_ptr<Pair> OpenPair(int version) {
  ServerOptions options = ServerOf(version);
  options.auth = ClientAuth::kNone;
  options.closes_tickets = false;
  auto pair = std::make_unique<Pair>(AskingContext(), options);
  REQUIRE(pair->RunPastVerify() == Step::kDone);
  pair->Exchange();
  // Past the tickets, each of which is a step of its own.
  REQUIRE(ReadStep(pair.get()) == Step::kWantRead);
  return pair;
}

}  // namespace

TEST_CASE("data: a megabyte each way") {
  const Bytes sent = Megabyte();
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    const Transfer written = pair->client().Write(sent);
    CHECK(written.step == Step::kDone);
    CHECK(written.size == sent.size());
    pair->Exchange();
    CHECK(pair->server().plaintext() == sent);

    pair->server().Write(sent);
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == sent);
    CHECK(pair->client().unread() == 0);
  }
}

TEST_CASE("data: fed byte by byte it is the same") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    pair->set_chunk(1);
    const Bytes sent = Text("some words that arrive in crumbs");
    pair->server().Write(sent);
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == sent);
  }
}

TEST_CASE("data: reading fills a buffer from several records, not beyond") {
  const auto pair = OpenPair(TLS1_3_VERSION);
  for (int i = 0; i < 5; i++) pair->server().Write(Text("abc"));
  pair->Exchange();
  uint8_t buffer[16];
  std::memset(buffer, '#', sizeof(buffer));
  Transfer transfer = pair->client().Read(buffer, 7);
  CHECK(transfer.step == Step::kDone);
  CHECK(transfer.size == 7);
  CHECK(std::memcmp(buffer, "abcabca#", 8) == 0);
  transfer = pair->client().Read(buffer, sizeof(buffer));
  CHECK(transfer.step == Step::kDone);
  CHECK(transfer.size == 8);
  transfer = pair->client().Read(buffer, sizeof(buffer));
  CHECK(transfer.step == Step::kWantRead);
  CHECK(transfer.size == 0);
}

TEST_CASE("data: nothing to read into and nothing to write is no error") {
  const auto pair = OpenPair(TLS1_3_VERSION);
  const Transfer read = pair->client().Read(nullptr, 0);
  CHECK(read.step == Step::kDone);
  CHECK(read.size == 0);
  const Transfer written = pair->client().Write(BytesView());
  CHECK(written.step == Step::kDone);
  CHECK(written.size == 0);
  CHECK_FALSE(pair->client().failure());
}

TEST_CASE("data: writing and reading before the handshake drive it") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    const Bytes sent = Text("early");
    CHECK(pair.client().Write(sent).step == Step::kWantRead);
    CHECK_FALSE(pair.client().outgoing().empty());
    REQUIRE(pair.Run() == Step::kWantVerify);
    CHECK(pair.client().Write(sent).step == Step::kWantVerify);
    CHECK(ReadStep(&pair) == Step::kWantVerify);
    pair.client().AcceptServer();
    REQUIRE(pair.Run() == Step::kWantClientCert);
    CHECK(pair.client().Write(sent).step == Step::kWantClientCert);
    CHECK(ReadStep(&pair) == Step::kWantClientCert);
    CHECK(pair.client().attempt() == 1);
    pair.client().Decline();
    CHECK(pair.Run() == Step::kDone);
    CHECK(pair.client().Write(sent).size == sent.size());
    pair.Exchange();
    CHECK(pair.server().plaintext() == sent);
  }
}

TEST_CASE("data: the peer's close_notify ends reading, not writing") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    pair->server().Write(Text("last words"));
    pair->server().Close();
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kClosed);
    CHECK(received == Text("last words"));
    CHECK(ReadStep(pair.get()) == Step::kClosed);
    CHECK_FALSE(pair->client().failure());
    // The end of the transport after close_notify is no truncation.
    pair->client().ReceiveEnd();
    CHECK(ReadStep(pair.get()) == Step::kClosed);
    CHECK(pair->client().Write(Text("reply")).size == 5);
    CHECK(pair->client().Shutdown() == Step::kDone);
    pair->Exchange();
    CHECK(pair->server().plaintext() == Text("reply"));
    CHECK(pair->server().client_closed());
  }
}

TEST_CASE("data: our close_notify ends writing, not reading") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    CHECK(pair->client().Shutdown() == Step::kDone);
    pair->Exchange();
    CHECK(pair->server().client_closed());
    const size_t before = pair->wire().size();
    pair->server().Write(Text("still here"));
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("still here"));
    // Closing twice is harmless, even with data not yet read.
    pair->server().Write(Text("and here"));
    pair->Exchange();
    CHECK(pair->client().Shutdown() == Step::kDone);
    CHECK(pair->client().Shutdown() == Step::kDone);
    received.clear();
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("and here"));
    CHECK(pair->wire().size() == before);
    pair->server().Close();
    CHECK(ReadStep(pair.get()) == Step::kClosed);
    CHECK(pair->client().Shutdown() == Step::kDone);
    CHECK_FALSE(pair->client().failure());
  }
}

TEST_CASE("data: closing waits for the end of a handshake") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    CHECK(pair.client().Shutdown() == Step::kWantRead);
    CHECK(pair.client().outgoing().empty());
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    CHECK(pair.client().Shutdown() == Step::kWantRead);
    pair.client().Decline();
    CHECK(pair.Run() == Step::kDone);
    CHECK(pair.client().Shutdown() == Step::kDone);
    CHECK_FALSE(pair.client().outgoing().empty());
  }
}

TEST_CASE("data: an end without close_notify is a failure") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    pair->server().Write(Text("half a st"));
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    pair->client().ReceiveEnd();
    CHECK(ReadStep(pair.get()) == Step::kFailed);
    REQUIRE(pair->client().failure());
    CHECK(pair->client().failure()->reason == FailureReason::kProtocol);
    CHECK(Reasons(*pair->client().failure()) == "unexpected eof while reading");
    CHECK(received == Text("half a st"));
    // And it stays failed.
    CHECK(ReadStep(pair.get()) == Step::kFailed);
    CHECK(pair->client().Write(Text("x")).step == Step::kFailed);
    CHECK(pair->client().Shutdown() == Step::kFailed);
    CHECK(pair->client().Handshake() == Step::kFailed);
  }
}

TEST_CASE("data: an end within a record, after a whole one") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const auto pair = OpenPair(version);
    pair->server().Write(Text("whole"));
    pair->server().Write(Text("torn"));
    Bytes wire = pair->server().Take();
    wire.pop_back();
    pair->client().Receive(wire);
    pair->client().ReceiveEnd();
    uint8_t buffer[64];
    // First what came, then the failure.
    const Transfer transfer = pair->client().Read(buffer, sizeof(buffer));
    CHECK(transfer.step == Step::kDone);
    CHECK(transfer.size == 5);
    CHECK(pair->client().Read(buffer, sizeof(buffer)).step == Step::kFailed);
    CHECK(Reasons(*pair->client().failure()) == "unexpected eof while reading");
  }
}

TEST_CASE("data: a server that demands a certificate and gets none") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.auth = ClientAuth::kRequire;
    Pair pair(AskingContext(), options);
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    pair.client().Decline();
    if (version == TLS1_3_VERSION) {
      // The client is done before the server has judged.
      CHECK(pair.Run() == Step::kDone);
      CHECK(ReadStep(&pair) == Step::kFailed);
      CHECK(pair.client().log().received_alert() == uint8_t{116});
      CHECK(Reasons(*pair.client().failure()) ==
            "tlsv13 alert certificate required");
    } else {
      CHECK(pair.Run() == Step::kFailed);
      CHECK(pair.client().log().received_alert() ==
            uint8_t{SSL_AD_HANDSHAKE_FAILURE});
    }
    CHECK(pair.client().failure()->reason == FailureReason::kProtocol);
  }
}

TEST_CASE("data: a server that refuses the certificate it got") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.judges = true;
    Pair refused(AskingContext(), options);
    const Step step = refused.RunAnswering(CredentialOf(ThePki().client_b));
    CHECK(step == (version == TLS1_3_VERSION ? Step::kDone : Step::kFailed));
    CHECK(ReadStep(&refused) == Step::kFailed);
    CHECK(refused.client().log().received_alert() ==
          uint8_t{SSL_AD_UNKNOWN_CA});
    Pair taken(AskingContext(), options);
    CHECK(taken.RunAnswering(CredentialOf(ThePki().clients.at("rsa"))) ==
          Step::kDone);
    CHECK(ReadStep(&taken) == Step::kWantRead);
    CHECK(taken.server().open());
  }
}

}  // namespace tls_client_cert::test
