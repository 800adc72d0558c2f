// Keys shared with the server in advance, waited for on a fibre.
#include <cstring>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Bytes kKey(16, 7);

Context::Pointer PskContext() {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "PSK:DEFAULT:@SECLEVEL=1";
  return MakeContext(options);
}

ConnectionOptions Sharing() {
  ConnectionOptions options;
  options.has_shared_keys = true;
  return options;
}

// Makes the server take `kKey` from "me", and no other.
void ShareWith(MemoryServer* server) {
  SSL_set_cipher_list(server->ssl(), "PSK:@SECLEVEL=1");
  // On TLS 1.3 such a key goes with SHA-256.
  SSL_set_ciphersuites(server->ssl(), "TLS_AES_128_GCM_SHA256");
  SSL_use_psk_identity_hint(server->ssl(), "a hint");
  SSL_set_psk_server_callback(
      server->ssl(),
      [](SSL*, const char* identity, unsigned char* key,
         unsigned room) -> unsigned {
        if (std::strcmp(identity, "me") != 0 || room < kKey.size()) return 0;
        std::memcpy(key, kKey.data(), kKey.size());
        return static_cast<unsigned>(kKey.size());
      });
}

ServerOptions Unasking(int version) {
  ServerOptions options = ServerOf(version);
  options.auth = ClientAuth::kNone;
  return options;
}

}  // namespace

TEST_CASE("shared key: asked for with what the version has to say") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ContextOptions options = TrustingOptions();
    options.cipher_list = "PSK:DEFAULT:@SECLEVEL=1";
    options.min_version = options.max_version = version;
    Pair pair(MakeContext(options), Unasking(version), Sharing());
    ShareWith(&pair.server());
    REQUIRE(pair.Run() == Step::kWantSharedKey);
    // Whatever is called now waits as well.
    uint8_t byte = 0;
    CHECK(pair.client().Read(&byte, 1).step == Step::kWantSharedKey);
    CHECK(pair.client().Write(Text("x")).step == Step::kWantSharedKey);
    const auto& hint = pair.client().shared_key().hint();
    CHECK(hint.has_value() == (version == TLS1_2_VERSION));
    if (hint) CHECK(*hint == "a hint");
    pair.client().shared_key().Answer("me", kKey);
    CHECK(pair.Run() == Step::kDone);
    CHECK(pair.client().by_shared_key());
    CHECK_FALSE(pair.client().resumed());
    CheckAlive(&pair);
  }
}

TEST_CASE("shared key: refused, TLS 1.3 goes on with certificates") {
  Pair pair(PskContext(), ServerOf(TLS1_3_VERSION), Sharing());
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  pair.client().shared_key().Refuse();
  CHECK(pair.RunAnswering(CredentialOf(ThePki().clients.at("p256"))) ==
        Step::kDone);
  CHECK_FALSE(pair.client().by_shared_key());
  CheckAlive(&pair);
}

TEST_CASE("shared key: refused, TLS 1.2 fails and says so") {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "PSK:@SECLEVEL=1";
  options.max_version = TLS1_2_VERSION;
  Pair pair(MakeContext(options), Unasking(TLS1_2_VERSION), Sharing());
  ShareWith(&pair.server());
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  pair.client().shared_key().Refuse();
  CHECK(pair.Run() == Step::kFailed);
  CHECK(Reasons(*pair.client().failure()).find("psk identity not found") !=
        std::string::npos);
  CHECK(pair.server().alert() == SSL_AD_HANDSHAKE_FAILURE);
}

TEST_CASE("shared key: what is no answer is a refusal") {
  const std::string with_zero("m\0e", 3);
  for (const std::string& identity :
       {std::string(5000, 'i'), with_zero, std::string("me")}) {
    for (const Bytes& key : {Bytes(), Bytes(5000, 1), kKey}) {
      if (identity == "me" && key == kKey) continue;
      SharedKey shared;
      shared.Answer(identity, key);  // not asked: nothing
      CHECK(shared.state() == SharedKey::State::kIdle);
      Pair pair(PskContext(), ServerOf(TLS1_3_VERSION), Sharing());
      REQUIRE(pair.Run() == Step::kWantSharedKey);
      pair.client().shared_key().Answer(identity, key);
      CHECK(pair.client().shared_key().state() == SharedKey::State::kRefused);
      CHECK(pair.Run() == Step::kWantVerify);
    }
  }
}

TEST_CASE("shared key: asked again, with the hint, where 1.3 was not chosen") {
  Pair pair(PskContext(), Unasking(TLS1_2_VERSION), Sharing());
  ShareWith(&pair.server());
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  CHECK_FALSE(pair.client().shared_key().hint().has_value());
  pair.client().shared_key().Refuse();
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  CHECK(pair.client().shared_key().hint() == "a hint");
  pair.client().shared_key().Answer("me", kKey);
  CHECK(pair.Run() == Step::kDone);
  CheckAlive(&pair);
}

TEST_CASE("shared key: a renegotiation has the answer of before") {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "PSK:@SECLEVEL=1";
  options.max_version = TLS1_2_VERSION;
  Pair pair(MakeContext(options), Unasking(TLS1_2_VERSION), Sharing());
  ShareWith(&pair.server());
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  pair.client().shared_key().Answer("me", kKey);
  REQUIRE(pair.Run() == Step::kDone);
  REQUIRE_FALSE(pair.client().Renegotiate());
  pair.ReadAll();
  CHECK(pair.renegotiations() == 1);
  CheckAlive(&pair);
}

TEST_CASE("shared key: a connection may go while it is waited for") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ContextOptions options = TrustingOptions();
    options.cipher_list = "PSK:DEFAULT:@SECLEVEL=1";
    options.min_version = options.max_version = version;
    Pair pair(MakeContext(options), Unasking(version), Sharing());
    ShareWith(&pair.server());
    REQUIRE(pair.Run() == Step::kWantSharedKey);
    pair.DestroyClient();
  }
}

TEST_CASE("shared key: what it led to is no session, whatever was offered") {
  ServerOptions options = Unasking(TLS1_3_VERSION);
  options.closes_tickets = false;
  Pair first(PskContext(), options, Sharing());
  REQUIRE(first.Run() == Step::kWantSharedKey);
  first.client().shared_key().Refuse();
  REQUIRE(first.RunPastVerify() == Step::kDone);
  first.ReadAll();
  REQUIRE_FALSE(first.sessions().empty());

  // A server that does not know the session takes the key beside it.
  ConnectionOptions again = Sharing();
  again.session = Secret(first.sessions().front());
  again.session_declined = true;
  Pair second(PskContext(), options, again);
  ShareWith(&second.server());
  REQUIRE(second.Run() == Step::kWantSharedKey);
  second.client().shared_key().Answer("me", kKey);
  REQUIRE(second.Run() == Step::kDone);
  CHECK(second.client().session_reused());
  CHECK(second.client().by_shared_key());
  CHECK_FALSE(second.client().resumed());
}

}  // namespace tls_client_cert::test
