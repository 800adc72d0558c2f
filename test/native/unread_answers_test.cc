// A peer that asks and asks after the handshake, and takes no answer.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

constexpr size_t kLimit = 256 * 1024;

std::unique_ptr<Pair> Established(ServerOptions server) {
  ConnectionOptions options;
  options.credentials = {CredentialOf(ThePki().clients.at("p256"))};
  options.post_handshake_auth = true;
  auto pair = std::make_unique<Pair>(AskingContext(), server, options);
  REQUIRE(pair->RunPastVerify() == Step::kDone);
  pair->ReadAll();
  return pair;
}

// The server's records reach the client, and nothing comes back.
Step Hear(Pair* pair) {
  pair->client().Receive(pair->server().Take());
  uint8_t byte = 0;
  return pair->client().Read(&byte, 1).step;
}

void AskForKeys(MemoryServer* server) {
  REQUIRE(SSL_key_update(server->ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  REQUIRE(SSL_do_handshake(server->ssl()) == 1);
}

}  // namespace

TEST_CASE("unread answers: to KeyUpdates they are bounded, and an error") {
  const auto pair = Established(ServerOf(TLS1_3_VERSION));
  Connection& client = pair->client();
  int asked = 0;
  Step step = Step::kWantRead;
  while (step == Step::kWantRead && asked < 20'000) {
    for (int i = 0; i < 100; i++) AskForKeys(&pair->server());
    asked += 100;
    step = Hear(pair.get());
    CHECK(client.outgoing().size() <= kLimit);
  }
  CHECK(step == Step::kFailed);
  CHECK(client.failure()->reason == FailureReason::kAnswersUnread);
  CHECK(asked > 5'000);
}

TEST_CASE("unread answers: who reads may ask for ever") {
  const auto pair = Established(ServerOf(TLS1_3_VERSION));
  for (int asked = 0; asked < 12'000; asked++) {
    AskForKeys(&pair->server());
    if (asked % 100 == 99) {
      CHECK(Hear(pair.get()) == Step::kWantRead);
      pair->Exchange();
    }
  }
  CheckAlive(pair.get());
}

TEST_CASE("unread answers: what was written here is no answer") {
  const auto pair = Established(ServerOf(TLS1_3_VERSION));
  const Bytes plaintext(4 * kLimit, 'x');
  CHECK(pair->client().Write(plaintext).size == plaintext.size());
  AskForKeys(&pair->server());
  CHECK(Hear(pair.get()) == Step::kWantRead);
  // Sent, but still on its way below.
  pair->client().outgoing().Clear();
  pair->client().set_unsent_answers(kLimit);
  AskForKeys(&pair->server());
  CHECK(Hear(pair.get()) == Step::kFailed);
}

}  // namespace tls_client_cert::test
