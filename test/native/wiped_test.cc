// What is secret is written over before its memory goes back to the allocator:
// every block that C++ code frees is looked at.
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "pair.h"
#include "session_facts.h"
#include "store.h"

namespace {

// Counts the freed blocks that hold `needle`. One at a time; none: off.
struct Watch {
  const uint8_t* needle = nullptr;
  size_t size = 0;
  int found = 0;
};
Watch watch;  // NOLINT: operator delete has no argument to reach it by

void Free(void* block) {
  // One byte of the needle is known not to be in the blocks' own bookkeeping;
  // memmem is what valgrind and the sanitizers know as well.
  if (block != nullptr && watch.needle != nullptr &&
      memmem(block, malloc_usable_size(block), watch.needle, watch.size) !=
          nullptr) {
    watch.found++;
  }
  std::free(block);
}

}  // namespace

void* operator new(size_t size) {
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* block) noexcept { Free(block); }
void operator delete(void* block, size_t) noexcept { Free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept {
  Free(block);
}

namespace tls_client_cert::test {

namespace {

// The needle is a copy from malloc, so that it is not found when it goes.
class Needle {
 public:
  explicit Needle(BytesView bytes)
      : memory_(static_cast<uint8_t*>(std::malloc(bytes.size))),
        size_(bytes.size) {
    REQUIRE(bytes.size >= 8);
    std::memcpy(memory_, bytes.data, bytes.size);
  }
  ~Needle() {
    watch = {};
    std::free(memory_);
  }
  Needle(const Needle&) = delete;
  Needle& operator=(const Needle&) = delete;

  void Watch() { watch = {memory_, size_, 0}; }

 private:
  uint8_t* memory_;
  size_t size_;
};

const uint8_t kShared[] = {0xc3, 0x5a, 0x11, 0xe7, 0x42, 0x9b, 0xd0, 0x6f,
                           0x8e, 0x27, 0xb4, 0x73, 0x1d, 0xfa, 0x60, 0x95};

unsigned GiveShared(SSL*, const char*, unsigned char* key, unsigned) {
  std::memcpy(key, kShared, sizeof kShared);
  return sizeof kShared;
}

// A client that has a key in common with its server, and was asked for it.
std::unique_ptr<Pair> SharingPair(int version, int highest_offered) {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "PSK:@SECLEVEL=1";
  options.min_version = version;
  options.max_version = highest_offered;
  ServerOptions server = ServerOf(version);
  server.auth = ClientAuth::kNone;
  ConnectionOptions sharing;
  sharing.has_shared_keys = true;
  auto pair =
      std::make_unique<Pair>(MakeContext(options), server, std::move(sharing));
  SSL* ssl = pair->server().ssl();
  SSL_set_cipher_list(ssl, "PSK:@SECLEVEL=1");
  SSL_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256");
  SSL_set_psk_server_callback(
      ssl, [](SSL* of, const char* identity, unsigned char* key,
              unsigned room) { return GiveShared(of, identity, key, room); });
  REQUIRE(pair->Run() == Step::kWantSharedKey);
  return pair;
}

}  // namespace

TEST_CASE("wiped: the watch sees what is not") {
  Needle secret(BytesView(kShared, sizeof kShared));
  secret.Watch();
  {
    const Bytes plain(kShared, kShared + sizeof kShared);
  }
  CHECK(watch.found == 1);
  {
    const SecretBytes wiped(kShared, kShared + sizeof kShared);
  }
  CHECK(watch.found == 1);
  {
    SecretBytes grown(kShared, kShared + sizeof kShared);
    grown.resize(4096);
  }
  CHECK(watch.found == 1);
}

TEST_CASE("wiped: a shared key, when no handshake can need it any more") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Needle secret(BytesView(kShared, sizeof kShared));
    const auto pair = SharingPair(version, version);
    secret.Watch();
    pair->client().shared_key().Answer("me",
                                       BytesView(kShared, sizeof kShared));
    REQUIRE(pair->Run() == Step::kDone);
    CHECK(pair->client().by_shared_key());
    // A renegotiation would have to show it again.
    const bool kept = version == TLS1_2_VERSION;
    CHECK(pair->client().shared_key().has_key() == kept);
    CHECK(pair->client().Shutdown() == Step::kDone);
    CHECK_FALSE(pair->client().shared_key().has_key());
    pair->DestroyClient();
    CHECK(watch.found == 0);
  }
}

TEST_CASE("wiped: a shared key, where the server chose a certificate") {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "DEFAULT:PSK:@SECLEVEL=1";
  ServerOptions server = ServerOf(TLS1_2_VERSION);
  server.auth = ClientAuth::kNone;
  ConnectionOptions sharing;
  sharing.has_shared_keys = true;
  Pair pair(MakeContext(options), server, std::move(sharing));
  REQUIRE(pair.Run() == Step::kWantSharedKey);
  pair.client().shared_key().Answer("me", BytesView(kShared, sizeof kShared));
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  CHECK_FALSE(pair.client().shared_key().has_key());
}

TEST_CASE("wiped: a shared key, when it is asked for again") {
  Needle secret(BytesView(kShared, sizeof kShared));
  const auto pair = SharingPair(TLS1_2_VERSION, TLS1_3_VERSION);
  secret.Watch();
  pair->client().shared_key().Answer("me", BytesView(kShared, sizeof kShared));
  REQUIRE(pair->Run() == Step::kWantSharedKey);
  CHECK_FALSE(pair->client().shared_key().has_key());
  pair->DestroyClient();
  CHECK(watch.found == 0);
}

TEST_CASE("wiped: a shared key, when the connection fails or goes midway") {
  for (const int version : kVersions) {
    CAPTURE(version);
    for (const bool fails : {false, true}) {
      Needle secret(BytesView(kShared, sizeof kShared));
      const auto pair = SharingPair(version, version);
      secret.Watch();
      pair->client().shared_key().Answer("me",
                                         BytesView(kShared, sizeof kShared));
      pair->client().Handshake();
      if (fails) {
        pair->client().Receive(Text("no record at all, and no alert either"));
        CHECK(pair->client().Handshake() == Step::kFailed);
        CHECK_FALSE(pair->client().shared_key().has_key());
      }
      pair->DestroyClient();
      CHECK(watch.found == 0);
    }
  }
}

TEST_CASE("wiped: sessions, which have the master secret in them") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions server = ServerOf(version);
    server.closes_tickets = false;
    server.auth = ClientAuth::kNone;
    const Context::Pointer context = AskingContext();
    Pair pair(context, server);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    pair.ReadAll();
    uint8_t raw[SSL_MAX_MASTER_KEY_LENGTH];
    const size_t size = SSL_SESSION_get_master_key(
        SSL_get0_session(pair.client().ssl()), raw, sizeof raw);
    Needle secret(BytesView(raw, size));
    SecretBytes der = pair.client().session();
    REQUIRE(memmem(der.data(), der.size(), raw, size) != nullptr);
    secret.Watch();
    {
      const SecretBytes again = pair.client().session();
      CHECK(again == der);
    }
    CHECK(watch.found == 0);
    {
      ConnectionOptions options;
      options.session = std::move(der);
      ServerOptions other = ServerOf(version);
      other.context = pair.server().context();
      Pair resuming(context, other, std::move(options));
    }
    CHECK(watch.found == 0);
  }
}

TEST_CASE("wiped: the passphrase of a PFX, right or wrong") {
  const std::string passphrase = "far too long for a string to keep inside";
  const Identity& identity = ThePki().clients.at("p256");
  for (const bool right : {true, false}) {
    const Bytes pfx = Pfx(identity, {}, right ? passphrase : "another");
    Needle secret{BytesView(passphrase)};
    secret.Watch();
    {
      PfxInput input;
      input.bytes = pfx;
      input.passphrase = BytesView(passphrase);
      CHECK(Credential::Create(input).ok() == right);
    }
    CHECK(watch.found == 0);
  }
}

TEST_CASE("wiped: the URI of a store, which may have a PIN in it") {
  const std::string uri = "nobody:token=x?pin-value=91827364546372819";
  Needle secret{BytesView(uri)};
  secret.Watch();
  {
    StoreInput input;
    input.uri = uri.c_str();
    const StoreInput moved = std::move(input);
    CHECK(moved.uri == uri.c_str());
  }
  CHECK(watch.found == 0);
}

TEST_CASE("wiped: secrets written down, and exported keying material") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions server = ServerOf(version);
    server.auth = ClientAuth::kNone;
    Pair pair(AskingContext(), server);
    pair.client().LogKeys(true);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    auto lines = pair.client().journal()->TakeKeyLines();
    REQUIRE_FALSE(lines.empty());
    CHECK(lines.back().back() == '\n');
    {
      // The end of the last line is hexadecimal of the secret.
      Needle secret(
          BytesView(lines.back().data() + lines.back().size() - 33, 32));
      secret.Watch();
      lines.clear();
      lines.shrink_to_fit();
      CHECK(watch.found == 0);
    }
    auto made = ExportKeyingMaterial(pair.client().ssl(), 32, "EXPORTER-test",
                                     std::nullopt);
    REQUIRE(made.ok());
    Needle secret(made.value());
    secret.Watch();
    made.value() = SecretBytes();
    {
      auto again = ExportKeyingMaterial(pair.client().ssl(), 32,
                                        "EXPORTER-test", std::nullopt);
    }
    CHECK(watch.found == 0);
  }
}

}  // namespace tls_client_cert::test
