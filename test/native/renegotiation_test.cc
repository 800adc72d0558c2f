// TLS 1.2: the server asks for a handshake within the connection.
#include <algorithm>
#include <thread>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }

// The step at which reading stops once the server wants to renegotiate.
Step ReadStep(Pair* pair) { return pair->ReadAll(); }

// Answered with `credential`, or declined where there is none.
std::unique_ptr<Pair> OpenPair(
    const Credential::Pointer& credential,
    const ServerOptions& server = ServerOf(TLS1_2_VERSION),
    const ConnectionOptions& options = {},
    const Context::Pointer& context = AskingContext()) {
  auto pair = std::make_unique<Pair>(context, server, options);
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

// A server that never asks.
ServerOptions Quiet() {
  ServerOptions server = ServerOf(TLS1_2_VERSION);
  server.auth = ClientAuth::kNone;
  return server;
}

std::unique_ptr<Pair> QuietPair(
    const ServerOptions& server = Quiet(),
    const ConnectionOptions& options = {},
    const Context::Pointer& context = AskingContext()) {
  auto pair = std::make_unique<Pair>(context, server, options);
  REQUIRE(pair->RunPastVerify() == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->server().open());
  return pair;
}

// One that comes to its end, asked for by the server.
void CheckRenegotiates(Pair* pair) {
  const int before = pair->renegotiations();
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair) == Step::kWantVerify);
  pair->client().AcceptServer();
  CHECK(ReadStep(pair) == Step::kWantRead);
  CHECK(pair->renegotiations() == before + 1);
  CheckAlive(pair);
}

// One that the client does not begin.
void CheckRefuses(Pair* pair, FailureReason reason) {
  const int hellos = pair->server().CountMessages(SSL3_MT_CLIENT_HELLO);
  pair->server().Renegotiate();
  CHECK(ReadStep(pair) == Step::kFailed);
  REQUIRE(pair->client().failure());
  CHECK(pair->client().failure()->reason == reason);
  CHECK(pair->server().alert() == uint8_t{SSL_AD_NO_RENEGOTIATION});
  CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) == hellos);
  CHECK(pair->client().Handshake() == Step::kFailed);
}

// The reason for which a call to Renegotiate() fails, and nothing else does.
void CheckCannot(Pair* pair, FailureReason reason) {
  const size_t before = pair->wire().size();
  const auto failure = pair->client().Renegotiate();
  REQUIRE(failure);
  CHECK(failure->reason == reason);
  CHECK_FALSE(pair->client().failure());
  CHECK(pair->client().outgoing().empty());
  CHECK(pair->wire().size() == before);
}

Bytes Numbered(int count) {
  std::string text;
  for (int i = 0; i < count; i++) text += std::to_string(i) + ",";
  return Text(text);
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

TEST_CASE("renegotiation: its end is told once") {
  const auto pair = QuietPair();
  CHECK(pair->renegotiations() == 0);
  for (int i = 1; i < 3; i++) {
    CheckRenegotiates(pair.get());
    CHECK(pair->client().Handshake() == Step::kDone);
    CHECK(pair->renegotiations() == i);
  }
}

TEST_CASE("renegotiation: its end is told by the handshake function as well") {
  const auto pair = QuietPair();
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(pair->Run() == Step::kDone);
  CHECK(pair->renegotiations() == 0);
  CHECK(pair->Run() == Step::kDone);
  CHECK(pair->renegotiations() == 1);
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
}

TEST_CASE("renegotiation: data before and behind, in crumbs as well") {
  for (const size_t chunk : {0, 1, 50}) {
    CAPTURE(chunk);
    const auto pair = OpenPair(nullptr);
    pair->set_chunk(chunk);
    pair->server().Write(Text("before"));
    pair->server().Renegotiate();
    Bytes received;
    REQUIRE(pair->ReadAll(&received) == Step::kWantVerify);
    CHECK(received == Text("before"));
    pair->client().AcceptServer();
    REQUIRE(pair->ReadAll(&received) == Step::kWantClientCert);
    pair->client().Answer(CredentialOf(Client("p256")));
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("before"));
    CheckAlive(pair.get());
  }
}

TEST_CASE("renegotiation: asked for, and data still on the way") {
  const auto pair = QuietPair();
  pair->server().Renegotiate();
  // Between HelloRequest and ServerHello data is allowed.
  pair->server().Write(Text("on "));
  pair->server().Write(Text("the way"));
  Bytes received;
  REQUIRE(pair->ReadAll(&received) == Step::kWantVerify);
  CHECK(received == Text("on the way"));
  pair->client().AcceptServer();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: begun by the client") {
  const auto pair = QuietPair();
  CHECK_FALSE(pair->client().Renegotiate());
  CHECK_FALSE(pair->client().outgoing().empty());
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) == 2);
  CHECK(pair->renegotiations() == 0);
  pair->client().AcceptServer();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
  CHECK_FALSE(pair->client().session_reused());
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: begun by the client, the server asks") {
  const auto pair = OpenPair(nullptr);
  CHECK_FALSE(pair->client().Renegotiate());
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(ReadStep(pair.get()) == Step::kWantClientCert);
  CHECK(pair->client().request().phase == RequestPhase::kRenegotiation);
  pair->client().Answer(CredentialOf(Client("rsa")));
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: begun by the client twice is begun once") {
  const auto pair = QuietPair();
  CHECK_FALSE(pair->client().Renegotiate());
  CHECK_FALSE(pair->client().Renegotiate());
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  CHECK_FALSE(pair->client().Renegotiate());
  pair->client().AcceptServer();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
  CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) == 2);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: begun over a record that was read in part") {
  const auto pair = QuietPair();
  const Bytes words(40000, 'x');
  pair->server().Write(words);
  pair->Exchange();
  Bytes first(10);
  REQUIRE(pair->client().Read(first.data(), first.size()).size == 10);
  CHECK_FALSE(pair->client().Renegotiate());
  Bytes rest;
  REQUIRE(pair->ReadAll(&rest) == Step::kWantVerify);
  pair->client().AcceptServer();
  CHECK(pair->ReadAll(&rest) == Step::kWantRead);
  CHECK(rest.size() == words.size() - first.size());
  CHECK(pair->renegotiations() == 1);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: the peer closes in the middle of it") {
  for (const bool ours : {true, false}) {
    CAPTURE(ours);
    const auto pair = QuietPair();
    if (ours) {
      pair->server().Close();
      CHECK_FALSE(pair->client().Renegotiate());
    } else {
      pair->server().Renegotiate();
      SSL_set_quiet_shutdown(pair->server().ssl(), 0);
      pair->server().Close();
    }
    CHECK(ReadStep(pair.get()) == Step::kFailed);
    CHECK(pair->client().failure()->reason == FailureReason::kClosedMidway);
    CHECK(pair->client().Shutdown() == Step::kFailed);
  }
}

TEST_CASE("renegotiation: ours follows an abbreviated one of the server's") {
  ServerOptions resuming = Quiet();
  resuming.resumes_renegotiated = true;
  // Wherever HelloRequest is when ours is wanted: read and answered, or partly
  // read, so that ours cannot begin before it.
  for (size_t missing = 0;; missing++) {
    CAPTURE(missing);
    const auto pair = QuietPair(resuming);
    pair->server().Renegotiate();
    const Bytes hello_request = pair->server().Take();
    if (missing > hello_request.size()) break;
    const size_t head = hello_request.size() - missing;
    pair->client().Receive(BytesView(hello_request.data(), head));
    uint8_t none[10];
    REQUIRE(pair->client().Read(none, sizeof(none)).step == Step::kWantRead);
    CHECK_FALSE(pair->client().Renegotiate());
    pair->client().Receive(
        BytesView(hello_request.data() + head, hello_request.size() - head));
    // Only a full one has the server judged.
    REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
    CHECK(pair->renegotiations() == 0);
    pair->client().AcceptServer();
    CHECK(ReadStep(pair.get()) == Step::kWantRead);
    CHECK(pair->renegotiations() == 1);
    // Of the record nothing was there, or just its header: ours came first.
    CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) ==
          (head == 0 || head == 5 ? 2 : 3));
    CHECK(pair->server().open());
    CHECK_FALSE(pair->client().session_reused());
    CheckAlive(pair.get());
  }
}

// One flight each way, with nothing read by the client in between; `words` go
// with the server's.
void PassOn(Pair* pair, const Bytes& words = {}) {
  ByteQueue& outgoing = pair->client().outgoing();
  Bytes sent(outgoing.size());
  outgoing.Take(sent.data(), sent.size());
  pair->server().Receive(sent);
  pair->server().Advance();
  if (!words.empty()) pair->server().Write(words);
  pair->client().Receive(pair->server().Take());
}

// Past new sessions, which are told of first.
Step ReadOnce(Pair* pair) {
  uint8_t buffer[5000];
  while (true) {
    const Step step = pair->client().Read(buffer, sizeof(buffer)).step;
    if (step != Step::kNewSession) return step;
    pair->client().TakeSession();
  }
}

// Up to the client's Finished, which the server has not seen yet.
void RenegotiateUpToFinished(Pair* pair) {
  CHECK_FALSE(pair->client().Renegotiate());
  PassOn(pair);
  REQUIRE(ReadOnce(pair) == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(ReadOnce(pair) == Step::kWantRead);
}

TEST_CASE("renegotiation: wanted over a close_notify that was read in part") {
  const auto pair = QuietPair();
  pair->server().Close();
  const Bytes close = pair->server().Take();
  pair->client().Receive(BytesView(close.data(), 7));
  REQUIRE(ReadOnce(pair.get()) == Step::kWantRead);
  CHECK_FALSE(pair->client().Renegotiate());
  pair->client().Receive(BytesView(close.data() + 7, close.size() - 7));
  CHECK(ReadOnce(pair.get()) == Step::kFailed);
  CHECK(pair->client().failure()->reason == FailureReason::kClosedMidway);
  CHECK(pair->client().outgoing().empty());
}

TEST_CASE("renegotiation: wanted and not begun, our close_notify waits") {
  const auto pair = QuietPair();
  pair->server().Write(Bytes(40000, 'x'));
  pair->Exchange();
  uint8_t first[10];
  REQUIRE(pair->client().Read(first, sizeof(first)).size == sizeof(first));
  CHECK_FALSE(pair->client().Renegotiate());
  CHECK(pair->client().Shutdown() == Step::kWantRead);
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
  CHECK(pair->client().Shutdown() == Step::kDone);
  pair->server().Close();
  CHECK(ReadStep(pair.get()) == Step::kClosed);
}

TEST_CASE(
    "renegotiation: the notice of one is not taken for that of the next") {
  const auto pair = QuietPair();
  RenegotiateUpToFinished(pair.get());
  // The data comes first, and in its midst another one is wanted.
  PassOn(pair.get(), Text("behind it"));
  REQUIRE(ReadOnce(pair.get()) == Step::kDone);
  CHECK_FALSE(pair->client().Renegotiate());
  CHECK(ReadOnce(pair.get()) == Step::kWantRead);
  PassOn(pair.get());
  REQUIRE(ReadOnce(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  CHECK(ReadOnce(pair.get()) == Step::kWantRead);
  PassOn(pair.get());
  CHECK(ReadOnce(pair.get()) == Step::kRenegotiated);
}

TEST_CASE("renegotiation: a quiet read leaves the notice to the next one") {
  const auto pair = QuietPair();
  RenegotiateUpToFinished(pair.get());
  PassOn(pair.get());
  uint8_t plaintext[16];
  const Transfer quiet =
      pair->client().Read(plaintext, sizeof plaintext, /*quiet=*/true);
  CHECK(quiet.step == Step::kWantRead);
  CHECK_FALSE(quiet.exhausted);
  CHECK(ReadOnce(pair.get()) == Step::kRenegotiated);
  CHECK(ReadOnce(pair.get()) == Step::kWantRead);
}

TEST_CASE("renegotiation: HelloRequest right behind the end of the last one") {
  for (const bool abbreviated : {true, false}) {
    CAPTURE(abbreviated);
    ServerOptions server = Quiet();
    server.resumes_renegotiated = abbreviated;
    const auto pair = QuietPair(server);
    RenegotiateUpToFinished(pair.get());
    ByteQueue& outgoing = pair->client().outgoing();
    Bytes finished(outgoing.size());
    outgoing.Take(finished.data(), finished.size());
    pair->server().Receive(finished);
    pair->server().Advance();
    pair->server().Renegotiate();
    pair->client().Receive(pair->server().Take());
    CHECK(ReadOnce(pair.get()) == Step::kRenegotiated);
    // During the server's: it is a wish of its own, and has the server judged.
    CHECK_FALSE(pair->client().Renegotiate());
    int judged = 0;
    int told = 0;
    for (int i = 0; i < 20; i++) {
      const Step step = ReadOnce(pair.get());
      REQUIRE(step != Step::kFailed);
      if (step == Step::kRenegotiated) told++;
      if (step == Step::kWantVerify) {
        judged++;
        pair->client().AcceptServer();
      }
      PassOn(pair.get());
    }
    CHECK(judged == (abbreviated ? 1 : 2));
    CHECK(told == 1);
    CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) == 4);
  }
}

TEST_CASE("renegotiation: begun by both at once") {
  const auto pair = QuietPair();
  pair->server().Renegotiate();
  CHECK_FALSE(pair->client().Renegotiate());
  // The HelloRequest comes when a ClientHello is under way: it says nothing.
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
  CHECK(pair->server().CountMessages(SSL3_MT_CLIENT_HELLO) == 2);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: asked for within a handshake it means nothing") {
  const Bytes hello_request = {22, 3, 3, 0, 4, 0, 0, 0, 0};
  ConnectionOptions options;
  options.renegotiation_limit.count = 0;
  Pair pair(AskingContext(), Quiet(), options);
  CHECK(pair.client().Handshake() == Step::kWantRead);
  for (int i = 0; i < 5; i++) pair.client().Receive(hello_request);
  CHECK(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  CHECK(pair.server().CountMessages(SSL3_MT_CLIENT_HELLO) == 1);
  CheckAlive(&pair);
}

TEST_CASE("renegotiation: data in flight both ways is not lost") {
  for (const size_t chunk : {0, 1, 1000}) {
    CAPTURE(chunk);
    const auto pair = QuietPair();
    pair->set_chunk(chunk);
    const Bytes sent = Numbered(500);
    Bytes expected;
    for (int i = 0; i < 20; i++) {
      pair->server().Write(sent);
      expected.insert(expected.end(), sent.begin(), sent.end());
    }
    CHECK(pair->client().Write(Text("before ")).size == 7);
    CHECK_FALSE(pair->client().Renegotiate());
    CHECK(pair->client().Write(Text("meanwhile")).step == Step::kWantRead);
    CHECK(pair->client().Handshake() == Step::kWantRead);
    CHECK(pair->client().Shutdown() == Step::kWantRead);
    Bytes received;
    REQUIRE(pair->ReadAll(&received) == Step::kWantVerify);
    CHECK(received == expected);
    CHECK(pair->client().Write(Text("meanwhile")).step == Step::kWantVerify);
    pair->client().AcceptServer();
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == expected);
    CHECK(pair->client().Write(Text("after")).size == 5);
    pair->Exchange();
    CHECK(pair->server().plaintext() == Text("before after"));
    CHECK(pair->renegotiations() == 1);
  }
}

TEST_CASE("renegotiation: data was received and not read when it began") {
  const auto pair = QuietPair();
  pair->server().Write(Text("not yet read"));
  pair->Exchange();
  CHECK(pair->client().unread() > 0);
  CHECK_FALSE(pair->client().Renegotiate());
  // The handshake function would take it for a violation.
  CHECK(pair->client().Handshake() == Step::kWantRead);
  CHECK(pair->client().Write(Text("x")).step == Step::kWantRead);
  Bytes received;
  REQUIRE(pair->ReadAll(&received) == Step::kWantVerify);
  CHECK(received == Text("not yet read"));
  pair->client().AcceptServer();
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: begun within a record, at each place in it") {
  for (size_t cut = 1;; cut++) {
    CAPTURE(cut);
    const auto pair = QuietPair();
    pair->server().Write(Text("one"));
    pair->server().Write(Text("two"));
    const Bytes wire = pair->server().Take();
    if (cut == wire.size()) break;
    pair->client().Receive(BytesView(wire.data(), cut));
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK_FALSE(pair->client().Renegotiate());
    pair->client().Receive(BytesView(wire.data() + cut, wire.size() - cut));
    REQUIRE(pair->ReadAll(&received) == Step::kWantVerify);
    CHECK(received == Text("onetwo"));
    pair->client().AcceptServer();
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(pair->renegotiations() == 1);
    CheckAlive(pair.get());
  }
}

TEST_CASE("renegotiation: begun by a client whose server will not") {
  ServerOptions server = Quiet();
  server.refuses_renegotiation = true;
  const auto pair = QuietPair(server);
  CHECK_FALSE(pair->client().Renegotiate());
  CHECK(ReadStep(pair.get()) == Step::kFailed);
  CHECK(pair->client().log().received_alert() ==
        uint8_t{SSL_AD_NO_RENEGOTIATION});
  CHECK(Reasons(*pair->client().failure()) == "no renegotiation");
}

TEST_CASE("renegotiation: TLS 1.3 has none, and the connection goes on") {
  Pair pair(AskingContext(), ServerOf(TLS1_3_VERSION));
  REQUIRE(pair.RunAnswering(CredentialOf(Client("p256"))) == Step::kDone);
  pair.Exchange();
  CheckCannot(&pair, FailureReason::kProtocol);
  CheckAlive(&pair);
}

TEST_CASE("renegotiation: before the first handshake is complete") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    CHECK(pair.client().Renegotiate());
    REQUIRE(pair.Run() == Step::kWantVerify);
    CHECK(pair.client().Renegotiate());
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    CHECK(pair.client().Renegotiate());
    // It leaves the handshake alone, and no second one follows.
    pair.client().Decline();
    CHECK(pair.Run() == Step::kDone);
    pair.Exchange();
    CheckAlive(&pair);
    CHECK(pair.renegotiations() == 0);
    CHECK(pair.server().CountMessages(SSL3_MT_CLIENT_HELLO) == 1);
  }
}

TEST_CASE("renegotiation: after our close_notify nothing more is said") {
  const auto pair = QuietPair();
  CHECK(pair->client().Shutdown() == Step::kDone);
  pair->Exchange();
  CHECK(pair->client().Renegotiate());
  CHECK(pair->client().outgoing().empty());
  pair->server().Write(Text("last words"));
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("last words"));
}

TEST_CASE("renegotiation: after a failure it fails the same way") {
  const auto pair = QuietPair();
  pair->client().ReceiveEnd();
  REQUIRE(ReadStep(pair.get()) == Step::kFailed);
  const auto failure = pair->client().Renegotiate();
  REQUIRE(failure);
  CHECK(Reasons(*failure) == "unexpected eof while reading");
}

TEST_CASE("renegotiation: a server may ask three times in ten minutes") {
  const auto pair = QuietPair();
  for (int i = 0; i < 3; i++) CheckRenegotiates(pair.get());
  CheckRefuses(pair.get(), FailureReason::kRenegotiationLimit);
}

TEST_CASE("renegotiation: a limit of one's own") {
  ConnectionOptions options;
  for (const int count : {0, 1, 5}) {
    CAPTURE(count);
    options.renegotiation_limit.count = count;
    const auto pair = QuietPair(Quiet(), options);
    for (int i = 0; i < count; i++) CheckRenegotiates(pair.get());
    CheckRefuses(pair.get(), FailureReason::kRenegotiationLimit);
  }
}

TEST_CASE("renegotiation: what the client begins does not count") {
  ConnectionOptions options;
  options.renegotiation_limit.count = 1;
  const auto pair = QuietPair(Quiet(), options);
  for (int i = 0; i < 3; i++) {
    CHECK_FALSE(pair->client().Renegotiate());
    REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
    pair->client().AcceptServer();
    CHECK(ReadStep(pair.get()) == Step::kWantRead);
  }
  CheckRenegotiates(pair.get());
  CheckRefuses(pair.get(), FailureReason::kRenegotiationLimit);
}

TEST_CASE("renegotiation: the limit is one for a span of time") {
  ConnectionOptions options;
  options.renegotiation_limit = {2, std::chrono::seconds(3)};
  const auto pair = QuietPair(Quiet(), options);
  CheckRenegotiates(pair.get());
  CheckRenegotiates(pair.get());
  std::this_thread::sleep_for(std::chrono::milliseconds(3100));
  CheckRenegotiates(pair.get());
  CheckRenegotiates(pair.get());
  CheckRefuses(pair.get(), FailureReason::kRenegotiationLimit);
}

TEST_CASE("renegotiation: at the limit, the data in front is still read") {
  ConnectionOptions options;
  options.renegotiation_limit.count = 0;
  const auto pair = QuietPair(Quiet(), options);
  pair->server().Write(Text("in front"));
  pair->server().Renegotiate();
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kFailed);
  CHECK(received == Text("in front"));
}

TEST_CASE("renegotiation: disabled, the server's is refused") {
  const auto pair = QuietPair();
  CheckRenegotiates(pair.get());
  pair->client().DisableRenegotiation();
  CheckAlive(pair.get());
  CheckRefuses(pair.get(), FailureReason::kRenegotiationDisabled);
}

TEST_CASE("renegotiation: on HTTP/2 it is refused both ways") {
  ServerOptions server = Quiet();
  server.alpn_protocol = "h2";
  ConnectionOptions options;
  options.alpn_protocols = Alpn({"h2", "http/1.1"});
  const auto pair = QuietPair(server, options);
  CheckCannot(pair.get(), FailureReason::kForbiddenByHttp2);
  CheckAlive(pair.get());
  CheckRefuses(pair.get(), FailureReason::kForbiddenByHttp2);
  server.alpn_protocol = "http/1.1";
  CheckRenegotiates(QuietPair(server, options).get());
}

TEST_CASE("renegotiation: refused where RFC 5746 does not protect it") {
  // Unsafe renegotiation is asked for and not given.
  for (const uint64_t unsafe :
       {uint64_t{0}, uint64_t{SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION}}) {
    CAPTURE(unsafe);
    ContextOptions context = TrustingOptions();
    context.options = SSL_OP_LEGACY_SERVER_CONNECT | unsafe;
    ServerOptions server = Quiet();
    server.ignores_rfc5746 = true;
    const Context::Pointer made = MakeContext(context);
    CHECK((SSL_CTX_get_options(made->get()) &
           SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION) == 0);
    const auto pair = QuietPair(server, {}, made);
    CHECK(SSL_get_secure_renegotiation_support(pair->server().ssl()) == 0);
    CheckCannot(pair.get(), FailureReason::kRenegotiationInsecure);
    CheckAlive(pair.get());
    CheckRefuses(pair.get(), FailureReason::kRenegotiationInsecure);
  }
}

TEST_CASE(
    "renegotiation: without RFC 5746 there is no first handshake either") {
  ServerOptions server = Quiet();
  server.ignores_rfc5746 = true;
  Pair pair(AskingContext(), server);
  CHECK(pair.Run() == Step::kFailed);
  CHECK(Reasons(*pair.client().failure()) ==
        "unsafe legacy renegotiation disabled");
}

TEST_CASE("renegotiation: abbreviated, nobody is asked and nothing changes") {
  for (const bool tickets : {false, true}) {
    CAPTURE(tickets);
    ServerOptions server = ServerOf(TLS1_2_VERSION);
    server.resumes_renegotiated = true;
    server.closes_tickets = !tickets;
    for (const char* kind : {"ed25519", ""}) {
      CAPTURE(kind);
      const bool declines = kind[0] == 0;
      const auto pair =
          OpenPair(declines ? nullptr : CredentialOf(Client(kind)), server);
      const auto certificate = pair->client().log().certificate();
      const auto scheme = pair->client().log().signature_scheme();
      for (int i = 1; i < 3; i++) {
        pair->server().Renegotiate();
        CHECK(ReadStep(pair.get()) == Step::kWantRead);
        CHECK(pair->renegotiations() == i);
        CHECK(pair->client().session_reused());
        // It is this connection's own session.
        CHECK_FALSE(pair->client().resumed());
        CHECK(pair->client().log().certificate() == certificate);
        CHECK(pair->client().log().signature_scheme() == scheme);
        CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
        CheckAlive(pair.get());
      }
      CHECK(certificate == (declines ? HandshakeLog::Certificate::kSentEmpty
                                     : HandshakeLog::Certificate::kSent));
      // The client's own wish is for a full one.
      CHECK_FALSE(pair->client().Renegotiate());
      CHECK(ReadStep(pair.get()) == Step::kWantVerify);
    }
  }
}

TEST_CASE("renegotiation: a full one that does not ask starts afresh") {
  const auto pair = OpenPair(CredentialOf(Client("p256")));
  SSL_set_verify(pair->server().ssl(), SSL_VERIFY_NONE, nullptr);
  CheckRenegotiates(pair.get());
  CHECK(pair->client().log().certificate() ==
        HandshakeLog::Certificate::kNotRequested);
  CHECK_FALSE(pair->client().log().signature_scheme());
  CHECK(pair->server().client_chain().empty());
}

TEST_CASE("renegotiation: the first to ask is a renegotiation") {
  const auto pair = QuietPair();
  SSL_set_verify(pair->server().ssl(), SSL_VERIFY_PEER, nullptr);
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  pair->client().AcceptServer();
  REQUIRE(ReadStep(pair.get()) == Step::kWantClientCert);
  CHECK(pair->client().attempt() == 1);
  pair->client().Answer(CredentialOf(Client("rsa")));
  CHECK(ReadStep(pair.get()) == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
  CheckAlive(pair.get());
}

TEST_CASE("renegotiation: another server than before is judged as such") {
  const auto pair = QuietPair();
  const Identity& stranger = ThePki().stranger_server;
  SSL_certs_clear(pair->server().ssl());
  REQUIRE(SSL_use_certificate(pair->server().ssl(),
                              stranger.certificate.get()) == 1);
  REQUIRE(SSL_use_PrivateKey(pair->server().ssl(), stranger.key.get()) == 1);
  pair->server().Renegotiate();
  REQUIRE(ReadStep(pair.get()) == Step::kWantVerify);
  CHECK(pair->client().server_chain_error() ==
        X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
}

TEST_CASE("renegotiation: destroyed once it was begun") {
  const auto pair = QuietPair();
  CHECK_FALSE(pair->client().Renegotiate());
  pair->DestroyClient();
}

TEST_CASE("renegotiation: the peer's end once it was begun") {
  const auto pair = QuietPair();
  pair->server().Write(Text("last words"));
  pair->Exchange();
  CHECK_FALSE(pair->client().Renegotiate());
  pair->client().ReceiveEnd();
  uint8_t buffer[32];
  const Transfer read = pair->client().Read(buffer, sizeof(buffer));
  CHECK(read.size == 10);
  CHECK(pair->client().Read(buffer, sizeof(buffer)).step == Step::kFailed);
  CHECK(Reasons(*pair->client().failure()) == "unexpected eof while reading");
}

}  // namespace tls_client_cert::test
