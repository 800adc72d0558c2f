// Every phase, and what may happen to a connection in it: noise from the
// peer, the peer's end, its own destruction.
#include <functional>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

struct Phase {
  const char* name;
  // Brings a pair there.
  std::function<void(Pair*)> reach;
  // What the client waits for, so what noise cannot disturb yet.
  Step step;
};

const std::vector<Phase>& Phases() {
  static const std::vector<Phase> phases = {
      {"before the start", [](Pair*) {}, Step::kWantRead},
      {"after the ClientHello",
       [](Pair* pair) { CHECK(pair->client().Handshake() == Step::kWantRead); },
       Step::kWantRead},
      {"wants verify",
       [](Pair* pair) { REQUIRE(pair->Run() == Step::kWantVerify); },
       Step::kWantVerify},
      {"accepted",
       [](Pair* pair) {
         REQUIRE(pair->Run() == Step::kWantVerify);
         pair->client().AcceptServer();
       },
       Step::kWantClientCert},
      {"suspended",
       [](Pair* pair) {
         REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
       },
       Step::kWantClientCert},
      {"answered",
       [](Pair* pair) {
         REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
         pair->client().Answer(CredentialOf(ThePki().clients.at("rsa")));
       },
       Step::kDone},
      {"flight sent",
       [](Pair* pair) {
         REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
         pair->client().Answer(CredentialOf(ThePki().clients.at("rsa")));
         (void)pair->client().Handshake();
       },
       Step::kDone},
      {"open",
       [](Pair* pair) {
         REQUIRE(pair->RunAnswering(CredentialOf(ThePki().clients.at("rsa"))) ==
                 Step::kDone);
         pair->Exchange();
         REQUIRE(pair->server().open());
       },
       Step::kDone},
      {"closed by us",
       [](Pair* pair) {
         REQUIRE(pair->RunAnswering(CredentialOf(ThePki().clients.at("rsa"))) ==
                 Step::kDone);
         CHECK(pair->client().Shutdown() == Step::kDone);
       },
       Step::kDone},
      {"failed",
       [](Pair* pair) {
         REQUIRE(pair->Run() == Step::kWantVerify);
         pair->client().RefuseServer(X509_V_ERR_HOSTNAME_MISMATCH);
         CHECK(pair->Run() == Step::kFailed);
       },
       Step::kFailed},
  };
  return phases;
}

// Handshake and reading, for as long as either gets anywhere.
Step Drive(Connection* client) {
  uint8_t buffer[256];
  for (int i = 0; i < 100; i++) {
    const Step handshake = client->Handshake();
    if (handshake != Step::kDone) return handshake;
    const Transfer transfer = client->Read(buffer, sizeof(buffer));
    if (transfer.step != Step::kDone) return transfer.step;
  }
  return Step::kDone;
}

// Past the questions as well, so that what was fed is really looked at.
Step DriveOn(Connection* client) {
  for (int i = 0; i < 5; i++) {
    const Step step = Drive(client);
    if (step == Step::kWantVerify) {
      client->AcceptServer();
    } else if (step == Step::kWantClientCert) {
      client->Decline();
    } else {
      return step;
    }
  }
  return Step::kDone;
}

}  // namespace

TEST_CASE("lifecycle: destroyed in each phase") {
  for (const int version : kVersions) {
    for (const Phase& phase : Phases()) {
      CAPTURE(version);
      CAPTURE(phase.name);
      Pair pair(AskingContext(), ServerOf(version));
      phase.reach(&pair);
      pair.DestroyClient();
    }
  }
}

TEST_CASE("lifecycle: each phase is the one it claims to be") {
  for (const int version : kVersions) {
    for (const Phase& phase : Phases()) {
      const std::string name = phase.name;
      if (name == "before the start" || name == "flight sent") continue;
      CAPTURE(version);
      CAPTURE(name);
      Pair pair(AskingContext(), ServerOf(version));
      phase.reach(&pair);
      if (name == "answered") {
        CHECK(pair.Run() == Step::kDone);
      } else {
        CHECK(pair.client().Handshake() == phase.step);
      }
    }
  }
}

TEST_CASE("lifecycle: the peer's end in each phase") {
  for (const int version : kVersions) {
    for (const Phase& phase : Phases()) {
      CAPTURE(version);
      CAPTURE(phase.name);
      Pair pair(AskingContext(), ServerOf(version));
      phase.reach(&pair);
      pair.client().ReceiveEnd();
      CHECK(DriveOn(&pair.client()) == Step::kFailed);
      REQUIRE(pair.client().failure());
      if (std::string(phase.name) == "failed") continue;
      CHECK(pair.client().failure()->reason == FailureReason::kProtocol);
      CHECK(Reasons(*pair.client().failure()) ==
            "unexpected eof while reading");
    }
  }
}

TEST_CASE("lifecycle: an end while suspended leaves the question standing") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    pair.client().ReceiveEnd();
    CHECK(pair.client().Handshake() == Step::kWantClientCert);
    CHECK(pair.client().attempt() == 1);
    CHECK_FALSE(pair.client().failure());
  }
}

TEST_CASE("lifecycle: noise from the peer in each phase") {
  const std::vector<Bytes> noises = {
      Bytes(100, 'x'),
      Bytes(100, 0),
      Bytes(20000, 0xff),
      {'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '4', '0', '0', '\r', '\n'},
      {22, 3, 3, 0xff, 0xff, 0, 0, 0, 0, 0},  // an overlong record
      {22, 3, 3, 0, 4, 99, 0, 0, 0},          // an unknown message
      {23, 3, 3, 0, 5, 1, 2, 3, 4, 5},        // data out of place
      {21, 3, 3, 0, 2, 2, 200},               // an unknown alert
  };
  for (const int version : kVersions) {
    for (const Phase& phase : Phases()) {
      for (size_t i = 0; i < noises.size(); i++) {
        CAPTURE(version);
        CAPTURE(phase.name);
        CAPTURE(i);
        Pair pair(AskingContext(), ServerOf(version));
        phase.reach(&pair);
        pair.client().Receive(noises[i]);
        const Step step = DriveOn(&pair.client());
        // Never an end that looks regular, and never a silent success.
        CHECK(step == Step::kFailed);
        REQUIRE(pair.client().failure());
        CHECK_FALSE(pair.client().failure()->stack.empty());
      }
    }
  }
}

TEST_CASE("lifecycle: any one changed byte of the server's handshake") {
  for (const int version : kVersions) {
    CAPTURE(version);
    size_t size = 0;
    {
      Pair pair(AskingContext(), ServerOf(version));
      (void)pair.client().Handshake();
      const ByteQueue& hello = pair.client().outgoing();
      pair.server().Receive(BytesView(hello.data(), hello.size()));
      pair.server().Advance();
      size = pair.server().Take().size();
    }
    // Signatures vary in size by a few bytes.
    for (size_t i = 0; i + 10 < size; i += 11) {
      CAPTURE(i);
      Pair pair(AskingContext(), ServerOf(version));
      (void)pair.client().Handshake();
      const ByteQueue& hello = pair.client().outgoing();
      pair.server().Receive(BytesView(hello.data(), hello.size()));
      pair.server().Advance();
      Bytes flight = pair.server().Take();
      flight[i] ^= 0x55;
      pair.client().Receive(flight);
      pair.client().ReceiveEnd();
      CHECK(DriveOn(&pair.client()) == Step::kFailed);
    }
  }
}

TEST_CASE("lifecycle: a fatal alert in each phase of a plaintext handshake") {
  for (const Phase& phase : Phases()) {
    const std::string name = phase.name;
    if (name == "open" || name == "closed by us" || name == "failed") continue;
    CAPTURE(name);
    Pair pair(AskingContext(), ServerOf(TLS1_2_VERSION));
    phase.reach(&pair);
    pair.client().Receive(Bytes{21, 3, 3, 0, 2, 2, SSL_AD_ACCESS_DENIED});
    CHECK(DriveOn(&pair.client()) == Step::kFailed);
    CHECK(pair.client().log().received_alert() ==
          uint8_t{SSL_AD_ACCESS_DENIED});
  }
}

TEST_CASE("lifecycle: many connections of one context, in any order") {
  const Context::Pointer context = AskingContext();
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int i = 0; i < 40; i++) {
    pairs.push_back(
        std::make_unique<Pair>(context, ServerOf(kVersions[i % 2])));
    Phases()[static_cast<size_t>(i) % Phases().size()].reach(
        pairs.back().get());
  }
  for (size_t i = 0; i < pairs.size(); i += 2) pairs[i].reset();
  for (const auto& pair : pairs) {
    if (pair) (void)pair->client().Handshake();
  }
}

}  // namespace tls_client_cert::test
