// What was agreed on, and what is written down of it, on both sides alike.
#include "session_facts.h"

#include <algorithm>

#include "journal.h"
#include "pair.h"

namespace tls_client_cert::test {

namespace {

Pair Unasked(int version, const std::string& groups = "",
             ConnectionOptions options = {}, ContextOptions context = {}) {
  if (!context.trust) context = TrustingOptions();
  ServerOptions server = ServerOf(version);
  server.auth = ClientAuth::kNone;
  server.groups = groups;
  server.closes_tickets = false;
  return Pair(MakeContext(context), server, std::move(options));
}

// A cipher of TLS 1.2 whose key exchange is by a group of so many bits.
ContextOptions DheOptions() {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "DHE:@SECLEVEL=0";
  options.max_version = TLS1_2_VERSION;
  return options;
}

void UseDh(Pair* pair) {
  SSL_set_cipher_list(pair->server().ssl(), "DHE:@SECLEVEL=0");
  SSL_set_dh_auto(pair->server().ssl(), 1);
}

ServerOptions RsaServer(ClientAuth auth) {
  ServerOptions options = ServerOf(TLS1_2_VERSION);
  options.identity = &ThePki().clients.at("rsa");
  options.auth = auth;
  return options;
}

}  // namespace

TEST_CASE("facts: none of it before the handshake") {
  Pair pair = Unasked(TLS1_3_VERSION);
  SSL* ssl = pair.client().ssl();
  CHECK(EphemeralKeyOf(ssl).kind == EphemeralKey::Kind::kNone);
  CHECK(SharedSignatureAlgorithms(ssl).empty());
  CHECK(FinishedOf(ssl, Sender::kClient).empty());
  CHECK(FinishedOf(ssl, Sender::kServer).empty());
  CHECK(TicketOf(ssl).size == 0);
  CHECK(OcspResponseOf(ssl).size == 0);
  const auto exported = ExportKeyingMaterial(ssl, 8, "label", std::nullopt);
  CHECK_FALSE(exported.ok());
}

TEST_CASE("facts: the ephemeral key by its kind") {
  for (const int version : kVersions) {
    for (const auto& [group, name, bits] :
         {std::tuple("X25519", "X25519", 253),
          std::tuple("P-384", "secp384r1", 384),
          std::tuple("P-256", "prime256v1", 256)}) {
      CAPTURE(version);
      CAPTURE(group);
      Pair pair = Unasked(version, group);
      REQUIRE(pair.RunPastVerify() == Step::kDone);
      const EphemeralKey key = EphemeralKeyOf(pair.client().ssl());
      CHECK(key.kind == EphemeralKey::Kind::kEcdh);
      CHECK(key.name == name);
      CHECK(key.bits == bits);
    }
  }
}

TEST_CASE("facts: Finished and keying material are the same on both sides") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair = Unasked(version);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    SSL* client = pair.client().ssl();
    SSL* server = pair.server().ssl();
    CHECK(FinishedOf(client, Sender::kClient).size() >= 12);
    CHECK(FinishedOf(client, Sender::kClient) ==
          FinishedOf(server, Sender::kServer));
    CHECK(FinishedOf(client, Sender::kServer) ==
          FinishedOf(server, Sender::kClient));
    const Bytes context = Text("context");
    auto ours = ExportKeyingMaterial(client, 40, "label", context);
    auto theirs = ExportKeyingMaterial(server, 40, "label", context);
    auto without = ExportKeyingMaterial(client, 40, "label", std::nullopt);
    auto empty = ExportKeyingMaterial(client, 40, "label", BytesView());
    REQUIRE(ours.ok());
    REQUIRE(theirs.ok());
    CHECK(ours.value().size() == 40);
    CHECK(ours.value() == theirs.value());
    CHECK(ours.value() != without.value());
    // RFC 8446, section 7.5: on TLS 1.3 no context is an empty one.
    CHECK((empty.value() == without.value()) == (version == TLS1_3_VERSION));
    pair.ReadAll();
    CHECK(TicketOf(client).size > 0);
  }
}

TEST_CASE("facts: a Diffie-Hellman key that is too small ends the handshake") {
  for (const ClientAuth auth : {ClientAuth::kNone, ClientAuth::kRequest}) {
    for (const int least : {0, 1024, 8192}) {
      CAPTURE(static_cast<int>(auth));
      CAPTURE(least);
      ConnectionOptions options;
      options.min_dh_bits = least;
      options.credentials.push_back(CredentialOf(ThePki().clients.at("p256")));
      Pair pair(MakeContext(DheOptions()), RsaServer(auth), options);
      UseDh(&pair);
      const Step step = pair.RunPastVerify();
      const EphemeralKey key = EphemeralKeyOf(pair.client().ssl());
      CHECK(key.kind == EphemeralKey::Kind::kDh);
      CHECK(key.name.empty());
      CHECK(key.bits >= 1024);
      if (least < 8192) {
        CHECK(step == Step::kDone);
        continue;
      }
      REQUIRE(step == Step::kFailed);
      CHECK(pair.client().failure()->reason == FailureReason::kDhKeyTooSmall);
      CHECK(pair.client().failure()->index == key.bits);
      // Whoever is refused for it is shown nothing.
      CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
    }
  }
}

TEST_CASE("facts: and it ends a renegotiation, before any data goes by it") {
  for (const ClientAuth auth : {ClientAuth::kNone, ClientAuth::kRequest}) {
    for (const int least : {1024, 8192}) {
      CAPTURE(static_cast<int>(auth));
      CAPTURE(least);
      ContextOptions context = DheOptions();
      context.cipher_list = "ECDHE:DHE:@SECLEVEL=0";
      ConnectionOptions options;
      options.min_dh_bits = least;
      options.credentials.push_back(CredentialOf(ThePki().clients.at("p256")));
      Pair pair(MakeContext(context), RsaServer(auth), options);
      SSL_set_cipher_list(pair.server().ssl(), "ECDHE:@SECLEVEL=0");
      REQUIRE(pair.RunPastVerify() == Step::kDone);
      pair.Exchange();
      UseDh(&pair);
      pair.server().Renegotiate();
      REQUIRE(pair.ReadAll() == Step::kWantVerify);
      pair.client().AcceptServer();
      if (least < 8192) {
        CHECK(pair.ReadAll() == Step::kWantRead);
        CHECK(pair.renegotiations() == 1);
        CheckAlive(&pair);
        continue;
      }
      CHECK(pair.client().Write(Text("words")).step != Step::kDone);
      CHECK(pair.ReadAll() == Step::kFailed);
      REQUIRE(pair.client().failure());
      CHECK(pair.client().failure()->reason == FailureReason::kDhKeyTooSmall);
      CHECK(pair.renegotiations() == 0);
      CHECK(pair.client().Write(Text("words")).step == Step::kFailed);
      pair.Exchange();
      CHECK(pair.server().plaintext().empty());
    }
  }
}

TEST_CASE("facts: the most in one record") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair = Unasked(version);
    CHECK_FALSE(pair.client().SetMaxSendFragment(511));
    CHECK_FALSE(pair.client().SetMaxSendFragment(16385));
    CHECK_FALSE(pair.client().SetMaxSendFragment(-1));
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    REQUIRE(pair.client().SetMaxSendFragment(512));
    const size_t before = pair.Records().size();
    CHECK(pair.client().Write(Bytes(2048, 'x')).size == 2048);
    pair.Exchange();
    CHECK(pair.Records().size() == before + 4);
    CHECK(pair.server().plaintext().size() == 2048);
  }
}

TEST_CASE(
    "journal: the secrets, while somebody wants them, and nobody else's") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Context::Pointer context = AskingContext();
    ServerOptions options = ServerOf(version);
    options.auth = ClientAuth::kNone;
    Pair logged(context, options);
    Pair other(context, options);
    logged.client().LogKeys(true);
    REQUIRE(logged.RunPastVerify() == Step::kDone);
    REQUIRE(other.RunPastVerify() == Step::kDone);
    CHECK(other.client().journal() == nullptr);
    const auto lines = logged.client().journal()->TakeKeyLines();
    CHECK(lines.size() == (version == TLS1_3_VERSION ? 5 : 1));
    for (const SecretBytes& line : lines) {
      CHECK(std::count(line.begin(), line.end(), ' ') == 2);
    }
    CHECK(logged.client().journal()->TakeKeyLines().empty());
    CHECK(logged.client().journal()->empty());
    const bool lent = SSL_CTX_get_keylog_callback(context->get()) != nullptr;
    CHECK_FALSE(lent);
  }
}

TEST_CASE("journal: not any more once nobody wants them") {
  Pair pair = Unasked(TLS1_3_VERSION);
  pair.client().LogKeys(true);
  REQUIRE(pair.Run() == Step::kWantVerify);
  pair.client().LogKeys(false);
  const size_t before = pair.client().journal()->TakeKeyLines().size();
  pair.client().AcceptServer();
  REQUIRE(pair.Run() == Step::kDone);
  CHECK(before == 1);
  CHECK(pair.client().journal()->empty());
}

TEST_CASE("journal: a trace has each message, and what is read is told") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair = Unasked(version);
    REQUIRE(pair.client().Trace());
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    pair.ReadAll();
    const Bytes text = pair.client().journal()->TakeTrace();
    for (const char* word : {"ClientHello", "ServerHello", "Finished"}) {
      CAPTURE(word);
      CHECK(Contains(text, Text(word)));
    }
    CHECK(pair.client().journal()->TakeTrace().empty());
    pair.server().Write(Text("data"));
    pair.Exchange();
    uint8_t buffer[16];
    const Transfer transfer = pair.client().Read(buffer, sizeof(buffer));
    CHECK(transfer.size == 4);
    // All is read, whatever was written down.
    CHECK(transfer.exhausted);
    CHECK(pair.client().has_written_down());
    CHECK(pair.client().journal()->TakeTrace().size() > 0);
    CHECK(pair.client().Read(buffer, sizeof(buffer)).step == Step::kWantRead);
    CheckAlive(&pair);
  }
}

}  // namespace tls_client_cert::test
