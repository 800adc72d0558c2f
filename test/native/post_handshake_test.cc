// TLS 1.3: the server asks after the handshake, in the middle of the data.
#include "pair.h"

namespace tls_client_cert::test {

namespace {

using Sent = HandshakeLog::Certificate;

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }

ConnectionOptions Willing() {
  ConnectionOptions options;
  options.post_handshake_auth = true;
  return options;
}

ServerOptions AsksLater() {
  ServerOptions options = ServerOf(TLS1_3_VERSION);
  options.auth = ClientAuth::kLater;
  return options;
}

std::unique_ptr<Pair> OpenPair(
    const ServerOptions& server = AsksLater(),
    const ConnectionOptions& options = Willing(),
    const Context::Pointer& context = AskingContext()) {
  auto pair = std::make_unique<Pair>(context, server, options);
  REQUIRE(pair->RunPastVerify() == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->ReadAll() == Step::kWantRead);
  REQUIRE(pair->server().open());
  return pair;
}

// The server asks, and the client has read that it does.
std::unique_ptr<Pair> AskedPair() {
  auto pair = OpenPair();
  REQUIRE(pair->server().RequestPostHandshake());
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  return pair;
}

int CertificatesSeen(Pair* pair) {
  return pair->server().CountMessages(SSL3_MT_CERTIFICATE);
}

}  // namespace

TEST_CASE("post-handshake: answered at once, the chain comes along") {
  for (const std::string& kind : ClientKinds()) {
    CAPTURE(kind);
    const Identity& identity = ThePki().clients.at(kind);
    const auto pair = AskedPair();
    const CertificateRequest request = pair->client().request();
    CHECK(request.phase == RequestPhase::kPostHandshake);
    CHECK_FALSE(request.signature_schemes.empty());
    CHECK(pair->client().attempt() == 1);
    CHECK(pair->client().asked());
    CHECK(pair->client().log().certificate() == Sent::kRequested);
    pair->client().Answer(CredentialOf(identity));
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->server().client_chain() == ChainOf(identity));
    CHECK(pair->client().log().certificate() == Sent::kSent);
    CHECK(pair->client().log().signature_scheme());
    CheckAlive(pair.get());
  }
}

TEST_CASE("post-handshake: what the request says can be read") {
  ServerOptions server = AsksLater();
  server.authorities = {ThePki().root_b.certificate.get()};
  const auto pair = OpenPair(server);
  REQUIRE(pair->server().RequestPostHandshake("ecdsa_secp256r1_sha256"));
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  const CertificateRequest request = pair->client().request();
  CHECK(request.authorities ==
        std::vector<Bytes>{NameDer(ThePki().root_b.certificate.get())});
  CHECK(request.signature_schemes == std::vector<SignatureScheme>{0x0403});
  CHECK(request.certificate_types.empty());
}

TEST_CASE(
    "post-handshake: suspended, every way in leads to the same question") {
  const auto pair = AskedPair();
  uint8_t buffer[16];
  for (int i = 0; i < 100; i++) {
    CHECK(pair->client().Handshake() == Step::kWantClientCert);
    CHECK(pair->client().Read(buffer, sizeof(buffer)).step ==
          Step::kWantClientCert);
    CHECK(pair->client().Write(Text("x")).step == Step::kWantClientCert);
  }
  CHECK(pair->client().attempt() == 1);
  CHECK(pair->client().outgoing().empty());
  pair->client().AskAgain();
  CHECK(pair->ReadAll() == Step::kWantClientCert);
  CHECK(pair->client().attempt() == 2);
  pair->client().Answer(CredentialOf(Client("p384")));
  // The handshake function alone sends the answer.
  CHECK(pair->client().Handshake() == Step::kDone);
  pair->Exchange();
  CHECK(pair->server().client_chain() == ChainOf(Client("p384")));
  CheckAlive(pair.get());
}

TEST_CASE("post-handshake: declined, and the next request asks again") {
  const auto pair = AskedPair();
  pair->client().Decline();
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(CertificatesSeen(pair.get()) == 1);
  CHECK(pair->server().client_chain().empty());
  CHECK(pair->client().log().certificate() == Sent::kSentEmpty);
  CheckAlive(pair.get());

  REQUIRE(pair->server().RequestPostHandshake());
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  CHECK(pair->client().attempt() == 1);
  pair->client().Answer(CredentialOf(Client("rsa")));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
  CheckAlive(pair.get());
}

TEST_CASE("post-handshake: an answer serves all later requests") {
  // Answered after the handshake, or within it.
  for (const ClientAuth auth : {ClientAuth::kLater, ClientAuth::kRequest}) {
    ServerOptions server = AsksLater();
    server.auth = auth;
    Pair pair(AskingContext(), server, Willing());
    Step step = pair.RunPastVerify();
    if (auth == ClientAuth::kLater) {
      REQUIRE(step == Step::kDone);
      pair.Exchange();
      REQUIRE(pair.server().RequestPostHandshake());
      step = pair.ReadAll();
    }
    REQUIRE(step == Step::kWantClientCert);
    pair.client().Answer(CredentialOf(Client("p256")));
    CHECK(pair.ReadAll() == Step::kWantRead);
    for (int i = 2; i < 7; i++) {
      REQUIRE(pair.server().RequestPostHandshake());
      CHECK(pair.ReadAll() == Step::kWantRead);
      CHECK(CertificatesSeen(&pair) == i);
      CHECK(pair.server().client_chain() == ChainOf(Client("p256")));
      CHECK_FALSE(pair.client().asked());
      CheckAlive(&pair);
    }
  }
}

TEST_CASE("post-handshake: a credential that no longer fits is asked about") {
  for (const bool declines : {true, false}) {
    CAPTURE(declines);
    const auto pair = AskedPair();
    pair->client().Answer(CredentialOf(Client("p256")));
    REQUIRE(pair->ReadAll() == Step::kWantRead);
    REQUIRE(pair->server().RequestPostHandshake("rsa_pss_rsae_sha256"));
    REQUIRE(pair->ReadAll() == Step::kWantClientCert);
    CHECK(pair->client().WhyNotSent(*CredentialOf(Client("p256"))));
    if (declines) {
      pair->client().Decline();
    } else {
      pair->client().Answer(CredentialOf(Client("rsa")));
    }
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK_FALSE(pair->client().failure());
    CHECK(pair->server().client_chain() ==
          (declines ? std::vector<Bytes>() : ChainOf(Client("rsa"))));
    CheckAlive(pair.get());
  }
}

TEST_CASE("post-handshake: credentials set in advance are chosen anew") {
  ConnectionOptions options = Willing();
  options.credentials = {CredentialOf(Client("p256")),
                         CredentialOf(Client("rsa"))};
  const auto pair = OpenPair(AsksLater(), options);
  CHECK(pair->client().static_credential() == -1);
  REQUIRE(pair->server().RequestPostHandshake());
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
  CHECK(pair->client().static_credential() == 0);
  REQUIRE(pair->server().RequestPostHandshake("rsa_pss_rsae_sha256"));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
  CHECK(pair->client().static_credential() == 1);
  // Back to the first of them, as soon as it will do.
  REQUIRE(pair->server().RequestPostHandshake(
      "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->client().static_credential() == 0);
  CheckAlive(pair.get());
  // And with none that will do the connection ends, as in the handshake.
  REQUIRE(pair->server().RequestPostHandshake("ed25519"));
  CHECK(pair->ReadAll() == Step::kFailed);
  CHECK(pair->client().failure()->reason == FailureReason::kNoCommonScheme);
  CHECK(CertificatesSeen(pair.get()) == 3);
}

TEST_CASE(
    "post-handshake: an answer that would not be sent is not sent empty") {
  const auto pair = OpenPair();
  REQUIRE(pair->server().RequestPostHandshake("rsa_pss_rsae_sha256"));
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  const auto why = pair->client().WhyNotSent(*CredentialOf(Client("p256")));
  REQUIRE(why);
  CHECK(why->reason == FailureReason::kNoCommonScheme);
  const size_t before = pair->wire().size();
  pair->client().Answer(CredentialOf(Client("p256")));
  CHECK(pair->ReadAll() == Step::kFailed);
  CHECK(pair->client().failure()->reason == FailureReason::kNotSent);
  CHECK(pair->wire().size() == before);
  CHECK(CertificatesSeen(pair.get()) == 0);
}

TEST_CASE("post-handshake: signature_algorithms_cert of the request counts") {
  ServerOptions server = AsksLater();
  server.certificate_schemes = {0, 2, 0x08, 0x04};
  const auto pair = OpenPair(server);
  REQUIRE(pair->server().RequestPostHandshake());
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  // Intermediate A signs with ECDSA.
  const auto why = pair->client().WhyNotSent(*CredentialOf(Client("rsa")));
  REQUIRE(why);
  CHECK(why->reason == FailureReason::kCertificateSchemeRefused);
}

TEST_CASE("post-handshake: a server that was not told it may cannot ask") {
  const auto pair = OpenPair(AsksLater(), ConnectionOptions());
  CHECK_FALSE(pair->server().RequestPostHandshake());
  CheckAlive(pair.get());
}

TEST_CASE("post-handshake: with nobody to ask an empty one is sent") {
  const auto pair =
      OpenPair(AsksLater(), Willing(), MakeContext(TrustingOptions(), false));
  REQUIRE(pair->server().RequestPostHandshake());
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(CertificatesSeen(pair.get()) == 1);
  CHECK(pair->server().client_chain().empty());
  CHECK(pair->client().attempt() == 0);
}

TEST_CASE("post-handshake: a connection may ask where its context does not") {
  ConnectionOptions options = Willing();
  options.asks_for_client_cert = true;
  const auto context = MakeContext(TrustingOptions(), false);
  const auto pair = OpenPair(AsksLater(), options, context);
  REQUIRE(pair->server().RequestPostHandshake());
  for (int i = 0; i < 3; i++) {
    CHECK(pair->ReadAll() == Step::kWantClientCert);
    CHECK(pair->client().Write(Text("x")).step == Step::kWantClientCert);
    CHECK_FALSE(context->AsksForClientCert());
  }
  pair->client().Answer(CredentialOf(Client("p256")));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
}

TEST_CASE("post-handshake: on HTTP/2 it ends the connection") {
  // With an answer at hand, and with someone to ask.
  for (const bool at_hand : {true, false}) {
    CAPTURE(at_hand);
    ServerOptions server = AsksLater();
    server.alpn_protocol = "h2";
    ConnectionOptions options = Willing();
    options.alpn_protocols = Alpn({"h2", "http/1.1"});
    if (at_hand) options.credentials = {CredentialOf(Client("p256"))};
    const auto pair = OpenPair(server, options);
    pair->server().Write(Text("before"));
    REQUIRE(pair->server().RequestPostHandshake());
    const size_t before = pair->wire().size();
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kFailed);
    CHECK(received == Text("before"));
    REQUIRE(pair->client().failure());
    CHECK(pair->client().failure()->reason == FailureReason::kForbiddenByHttp2);
    CHECK(pair->client().attempt() == 0);
    CHECK(CertificatesSeen(pair.get()) == 0);
    // An alert of 2 bytes, encrypted, and nothing else.
    CHECK(pair->wire().size() - before == 5 + 2 + 1 + 16);
    CHECK(pair->server().alert() == uint8_t{SSL_AD_INTERNAL_ERROR});
  }
}

TEST_CASE("post-handshake: HTTP/2 offered is not HTTP/2 agreed upon") {
  ServerOptions server = AsksLater();
  ConnectionOptions options = Willing();
  options.alpn_protocols = Alpn({"h2", "http/1.1"});
  for (const char* protocol : {"http/1.1", ""}) {
    CAPTURE(protocol);
    server.alpn_protocol = protocol;
    const auto pair = OpenPair(server, options);
    REQUIRE(pair->server().RequestPostHandshake());
    CHECK(pair->ReadAll() == Step::kWantClientCert);
  }
}

TEST_CASE(
    "post-handshake: data before the request first, data behind it later") {
  for (const size_t chunk : {0, 1, 7}) {
    CAPTURE(chunk);
    const auto pair = OpenPair();
    pair->set_chunk(chunk);
    pair->server().Write(Text("before "));
    pair->server().Write(Text("it"));
    REQUIRE(pair->server().RequestPostHandshake());
    pair->server().Write(Text("behind "));
    pair->server().Write(Text("it"));
    Bytes received;
    CHECK(pair->ReadAll(&received) == Step::kWantClientCert);
    CHECK(received == Text("before it"));
    CHECK(pair->ReadAll(&received) == Step::kWantClientCert);
    CHECK(received == Text("before it"));
    pair->client().Answer(CredentialOf(Client("p256")));
    received.clear();
    CHECK(pair->ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("behind it"));
    CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
  }
}

TEST_CASE("post-handshake: data and the request in one go, a step at a time") {
  const auto pair = OpenPair();
  pair->server().Write(Text("data"));
  REQUIRE(pair->server().RequestPostHandshake());
  pair->Exchange();
  uint8_t buffer[16];
  const Transfer data = pair->client().Read(buffer, sizeof(buffer));
  CHECK(data.step == Step::kDone);
  CHECK(data.size == 4);
  const Transfer asked = pair->client().Read(buffer, sizeof(buffer));
  CHECK(asked.step == Step::kWantClientCert);
  CHECK(asked.size == 0);
}

TEST_CASE("post-handshake: writes made meanwhile wait and are not lost") {
  const auto pair = OpenPair();
  CHECK(pair->client().Write(Text("one ")).size == 4);
  REQUIRE(pair->server().RequestPostHandshake());
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  const Bytes words = Text("two");
  for (int i = 0; i < 3; i++) {
    const Transfer waiting = pair->client().Write(words);
    CHECK(waiting.step == Step::kWantClientCert);
    CHECK(waiting.size == 0);
  }
  CHECK(pair->client().outgoing().empty());
  pair->client().Answer(CredentialOf(Client("p256")));
  // Another piece than was tried, by the call that also sends the answer.
  CHECK(pair->client().Write(Text("three")).size == 5);
  pair->Exchange();
  CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
  CHECK(pair->server().plaintext() == Text("one three"));
}

TEST_CASE("post-handshake: the request in many records, a piece at a time") {
  ServerOptions server = AsksLater();
  server.max_fragment = 512;
  for (const auto& client : ThePki().clients) {
    server.authorities.push_back(client.second.certificate.get());
  }
  for (int i = 0; i < 4; i++) {
    server.authorities.insert(server.authorities.end(),
                              server.authorities.begin(),
                              server.authorities.begin() + 8);
  }
  for (const size_t chunk : {1, 100, 600}) {
    CAPTURE(chunk);
    const auto pair = OpenPair(server);
    pair->set_chunk(chunk);
    REQUIRE(pair->server().RequestPostHandshake());
    REQUIRE(BIO_ctrl_pending(SSL_get_wbio(pair->server().ssl())) > 1100);
    CHECK(pair->ReadAll() == Step::kWantClientCert);
    CHECK(pair->client().request().authorities.size() ==
          server.authorities.size());
    pair->client().Answer(CredentialOf(Client("rsa")));
    CHECK(pair->ReadAll() == Step::kWantRead);
    CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
    CheckAlive(pair.get());
  }
}

TEST_CASE("post-handshake: half a request is not a question yet") {
  ServerOptions server = AsksLater();
  server.max_fragment = 512;
  server.authorities.assign(30, ThePki().root_a.certificate.get());
  const auto pair = OpenPair(server);
  REQUIRE(pair->server().RequestPostHandshake());
  const Bytes request = pair->server().Take();
  REQUIRE(request.size() > 700);
  pair->client().Receive(BytesView(request.data(), 600));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->client().attempt() == 0);
  // Nothing may be written into the middle of it, nor is it lost.
  CHECK(pair->client().Write(Text("words")).step == Step::kWantRead);
  CHECK(pair->client().Shutdown() == Step::kWantRead);
  CHECK(pair->client().Handshake() == Step::kWantRead);
  CHECK(pair->client().outgoing().empty());
  pair->client().Receive(BytesView(request.data() + 600, request.size() - 600));
  CHECK(pair->client().Write(Text("words")).step == Step::kWantClientCert);
  pair->client().Decline();
  CHECK(pair->client().Write(Text("words")).size == 5);
  pair->Exchange();
  CHECK(pair->server().plaintext() == Text("words"));
}

TEST_CASE("post-handshake: closing waits for the answer") {
  const auto pair = AskedPair();
  CHECK(pair->client().Shutdown() == Step::kWantRead);
  CHECK(pair->client().outgoing().empty());
  pair->client().Answer(CredentialOf(Client("p256")));
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->client().Shutdown() == Step::kDone);
  pair->Exchange();
  CHECK(pair->server().client_chain() == ChainOf(Client("p256")));
  CHECK(pair->server().client_closed());
}

TEST_CASE("post-handshake: asked after our close_notify") {
  const auto pair = OpenPair();
  CHECK(pair->client().Shutdown() == Step::kDone);
  REQUIRE(pair->server().RequestPostHandshake());
  pair->server().Write(Text("last words"));
  // Nothing could be answered: what the server says is read all the same.
  Bytes received;
  CHECK(pair->ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("last words"));
  CHECK(pair->client().attempt() == 0);
}

TEST_CASE("post-handshake: a server that demands one and gets none") {
  const auto pair = AskedPair();
  SSL_set_verify(pair->server().ssl(),
                 SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE |
                     SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                 nullptr);
  pair->client().Decline();
  CHECK(pair->ReadAll() == Step::kFailed);
  CHECK(pair->client().log().received_alert() == uint8_t{116});
  CHECK(Reasons(*pair->client().failure()) ==
        "tlsv13 alert certificate required");
}

TEST_CASE("post-handshake: a server that refuses the one it gets") {
  ServerOptions server = AsksLater();
  server.judges = true;
  const auto pair = OpenPair(server);
  REQUIRE(pair->server().RequestPostHandshake());
  REQUIRE(pair->ReadAll() == Step::kWantClientCert);
  pair->client().Answer(CredentialOf(ThePki().client_b));
  CHECK(pair->ReadAll() == Step::kFailed);
  CHECK(pair->client().log().received_alert() == uint8_t{SSL_AD_UNKNOWN_CA});
}

TEST_CASE("post-handshake: the peer's end leaves the question standing") {
  const auto pair = AskedPair();
  pair->client().ReceiveEnd();
  CHECK(pair->ReadAll() == Step::kWantClientCert);
  CHECK(pair->client().attempt() == 1);
  pair->client().Answer(CredentialOf(Client("p256")));
  CHECK(pair->ReadAll() == Step::kFailed);
  CHECK(Reasons(*pair->client().failure()) == "unexpected eof while reading");
}

TEST_CASE("post-handshake: destroyed while asked, and once answered") {
  AskedPair()->DestroyClient();
  const auto pair = AskedPair();
  pair->client().Answer(CredentialOf(Client("p256")));
  pair->DestroyClient();
}

}  // namespace tls_client_cert::test
