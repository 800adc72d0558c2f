#include "world.h"

#include <openssl/objects.h>

#include <cstring>
#include <string>

#include "determinism.h"
#include "openssl_memory.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

// The ones that Tampering knows.
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256:@SECLEVEL=1";
constexpr SignatureScheme kRsaPssSha256 = 0x0804;
constexpr char kSuites[] = "TLS_AES_128_GCM_SHA256";

std::shared_ptr<const TrustStore> Trusting(const test::Identity& identity) {
  const Bytes pem = test::CertificatePem(identity.certificate.get());
  auto made = TrustStore::Create({pem}, {}, nullptr);
  REQUIRE(made.ok());
  return made.value();
}

Context::Pointer MakeContext(const std::shared_ptr<const TrustStore>& trust,
                             bool partial, int version) {
  constexpr int kLowest[] = {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_2_VERSION};
  constexpr int kHighest[] = {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_3_VERSION};
  ContextOptions options;
  options.trust = trust;
  options.allow_partial_trust_chain = partial;
  options.min_version = kLowest[version];
  options.max_version = kHighest[version];
  options.cipher_list = kCiphers;
  options.cipher_suites = kSuites;
  // The first is the cheapest that there is; the server may want the other.
  options.groups = "X25519:P-256";
  auto made = Context::Create(options);
  REQUIRE(made.ok());
  return made.value();
}

unsigned GiveKey(SSL*, const char* identity, unsigned char* key,
                 unsigned room) {
  constexpr size_t kSize = 16;
  if (std::strcmp(identity, "me") != 0 || room < kSize) return 0;
  std::memset(key, 7, kSize);
  return kSize;
}

std::unique_ptr<test::MemoryServer> MakeServer(int version,
                                               const test::Identity& identity) {
  test::ServerOptions options;
  options.version = version;
  options.identity = &identity;
  options.closes_tickets = false;
  options.groups = "X25519:P-256";
  auto server = std::make_unique<test::MemoryServer>(options);
  SSL_CTX* ctx = server->context();
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_clear_options(ctx, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  REQUIRE(SSL_CTX_set_cipher_list(ctx, kCiphers) == 1);
  REQUIRE(SSL_CTX_set_ciphersuites(ctx, kSuites) == 1);
  SSL_CTX_set_psk_server_callback(ctx, GiveKey);
  return server;
}

}  // namespace

World::World() {
  root = test::Issue({"Root", nullptr, true}, test::MakeKey("p256"));
  other_root =
      test::Issue({"Other root", nullptr, true}, test::MakeKey("p256"));
  server = test::Issue({"server.example", &root}, test::MakeKey("p256"));
  for (const char* kind : {"p256", "rsa1024", "ed25519"}) {
    Person person;
    person.identity = test::Issue({std::string("client ") + kind, &root},
                                  test::MakeKey(kind));
    person.identity.chain = {root.certificate.get()};
    person.credential = test::CredentialOf(person.identity);
    person.external = ExternalCredential(person.identity, {});
    people.push_back(std::move(person));
  }
  const std::shared_ptr<const TrustStore> trusts[kTrusts] = {
      Trusting(root), Trusting(server), Trusting(other_root)};
  for (int trust = 0; trust < kTrusts; trust++) {
    for (int version = 0; version < kVersions; version++) {
      contexts[trust][version] =
          MakeContext(trusts[trust], trust == 1, version);
    }
  }
  servers[0] = MakeServer(TLS1_2_VERSION, server);
  servers[1] = MakeServer(TLS1_3_VERSION, server);
  // Later than all else: keys are drawn in this order, and saved inputs have
  // what was made with them.
  restricted = ExternalCredential(people[1].identity, {kRsaPssSha256});
  rsa_server = test::Issue({"server.example", &root}, test::MakeKey("rsa1024"));
  weak = test::CredentialOf(test::Issue(
      {"weak", &root},
      EvpPkeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{512}))));
}

const World& TheWorld() {
  // Never freed: the fuzzer ends by exit().
  static const World* const world = [] {
    UseOwnMemory();
    UseOwnRandomNumbers();
    SeedRandomNumbers(1);
    return new World;
  }();
  return *world;
}

Credential::Pointer ExternalCredential(const test::Identity& identity,
                                       std::vector<SignatureScheme> schemes) {
  const Bytes leaf = test::CertificateDer(identity.certificate.get());
  std::vector<Bytes> chain;
  for (X509* link : identity.chain) chain.push_back(test::CertificateDer(link));
  ExternalKeyInput input;
  input.certificate = leaf;
  input.chain.assign(chain.begin(), chain.end());
  input.schemes = std::move(schemes);
  auto made = Credential::Create(input);
  REQUIRE(made.ok());
  return made.value();
}

}  // namespace tls_client_cert::fuzz
