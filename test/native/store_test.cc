#include "store.h"

#include <doctest/doctest.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "pki.h"

namespace tls_client_cert::test {

namespace {

// A file in a folder of its own, both removed in the end.
class StoreFile {
 public:
  explicit StoreFile(const std::vector<Bytes>& contents) {
    char folder[] = "/tmp/tls-client-cert-store-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    folder_ = folder;
    std::ofstream file(path(), std::ios::binary);
    for (const Bytes& content : contents) {
      file.write(reinterpret_cast<const char*>(content.data()),
                 static_cast<std::streamsize>(content.size()));
    }
  }
  ~StoreFile() {
    unlink(path().c_str());
    rmdir(folder_.c_str());
  }

  std::string path() const { return folder_ + "/store"; }

 private:
  std::string folder_;
};

Result<StoreContents> Open(
    const StoreFile& file,
    const std::optional<std::string>& passphrase = std::nullopt,
    std::vector<std::string> providers = {}) {
  StoreInput input;
  input.uri = file.path().c_str();
  input.providers = std::move(providers);
  if (passphrase) input.passphrase = BytesView(*passphrase);
  return OpenStore(input);
}

std::string ReasonOf(Result<StoreContents> opened) {
  return opened.ok() ? "opened" : FailureReasonName(opened.failure().reason);
}

// By the application's own context, which knows nothing of the store's.
bool Verifies(const StoreKey& key, SignatureScheme scheme, BytesView data,
              const Bytes& signature) {
  const uint8_t* position = key.public_key().data();
  const EvpPkeyPointer public_key(d2i_PUBKEY(nullptr, &position,
                                             static_cast<long>(  // NOLINT
                                                 key.public_key().size())));
  REQUIRE(public_key != nullptr);
  const EvpMdCtxPointer context(EVP_MD_CTX_new());
  const int digest = DigestOfScheme(scheme);
  EVP_PKEY_CTX* parameters = nullptr;
  REQUIRE(EVP_DigestVerifyInit(
              context.get(), &parameters,
              digest == NID_undef ? nullptr : EVP_get_digestbynid(digest),
              nullptr, public_key.get()) == 1);
  if (IsRsaPss(scheme)) {
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) ==
            1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters,
                                             RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          data.data, data.size) == 1;
}

const std::string kData = "what is to be signed";

}  // namespace

TEST_CASE("a store's keys sign under all that they say, and nothing else") {
  for (const std::string& kind : ClientKinds()) {
    CAPTURE(kind);
    const Identity& client = ThePki().clients.at(kind);
    const StoreFile file(
        {KeyPem(client.key.get()), CertificatePem(client.certificate.get())});
    auto opened = Open(file);
    REQUIRE(opened.ok());
    REQUIRE(opened.value().keys.size() == 1);
    REQUIRE(opened.value().certificates.size() == 1);
    CHECK(opened.value().certificates[0] ==
          CertificateDer(client.certificate.get()));
    const StoreKey& key = *opened.value().keys[0];
    CHECK(!key.schemes().empty());
    for (const SignatureScheme scheme : key.schemes()) {
      CAPTURE(scheme);
      auto signature = key.Sign(scheme, BytesView(kData));
      REQUIRE(signature.ok());
      CHECK(Verifies(key, scheme, BytesView(kData), signature.value()));
    }
    for (const SignatureScheme scheme : {0x0403, 0x0804, 0x0807, 0x0905}) {
      const auto& schemes = key.schemes();
      const bool declared =
          std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
      CHECK(key.Sign(scheme, BytesView(kData)).ok() == declared);
    }
  }
}

TEST_CASE("a key bound to one digest says so") {
  const StoreFile file({KeyPem(MakeKey("rsa-pss-sha384").get())});
  auto opened = Open(file);
  REQUIRE(opened.ok());
  CHECK(opened.value().keys[0]->schemes() ==
        std::vector<SignatureScheme>{0x080a});
}

TEST_CASE("a locked store is opened by its passphrase, and asks nobody") {
  const Identity& client = ThePki().clients.at("p256");
  const Bytes certificate = CertificatePem(client.certificate.get());
  const std::vector<Bytes> locked[] = {
      {KeyPem(client.key.get(), "secret"), certificate},
      {certificate, KeyPem(client.key.get(), "secret")},
      {KeyDer(client.key.get(), "secret")},
      {Pfx(client, {}, "secret")},
  };
  for (const std::vector<Bytes>& contents : locked) {
    const StoreFile file(contents);
    CHECK(ReasonOf(Open(file)) == "store-passphrase-missing");
    CHECK(ReasonOf(Open(file, "wrong")) == "store-passphrase-wrong");
    CHECK(ReasonOf(Open(file, std::string(5000, 'x'))) ==
          "store-passphrase-wrong");
    auto opened = Open(file, "secret");
    REQUIRE(opened.ok());
    CHECK(opened.value().keys.size() == 1);
  }
}

TEST_CASE("a store that has nothing is no failure") {
  auto opened = Open(StoreFile({}));
  REQUIRE(opened.ok());
  CHECK(opened.value().keys.empty());
  CHECK(opened.value().certificates.empty());
}

TEST_CASE("why a store cannot be opened") {
  StoreInput input;
  input.uri = "/nowhere/at/all";
  auto missing = OpenStore(input);
  REQUIRE(!missing.ok());
  CHECK(missing.failure().reason == FailureReason::kStoreUnreadable);
  CHECK(missing.failure().stack.at(0).text.find("No such file") !=
        std::string::npos);
  // What OpenSSL looked for stands beside its error.
  CHECK(missing.failure().stack.at(0).text.find(": calling stat(/nowhere") !=
        std::string::npos);
  const std::string secret = "at/all";
  input.passphrase = BytesView(secret);
  auto hidden = OpenStore(input);
  REQUIRE(!hidden.ok());
  CHECK(hidden.failure().stack.at(0).text.find("/nowhere") ==
        std::string::npos);
  input.passphrase = std::nullopt;
  input.uri = "nobody:knows";
  CHECK(ReasonOf(OpenStore(input)) == "store-scheme");
  input.providers = {"legacy", "nobodys"};
  auto unknown = OpenStore(input);
  REQUIRE(!unknown.ok());
  CHECK(unknown.failure().reason == FailureReason::kStoreProvider);
  CHECK(unknown.failure().index == 1);
  CHECK(unknown.failure().detail.find("nobodys.so") != std::string::npos);
}

TEST_CASE("a store that no provider can read says so") {
  const auto detail_of = [](const char* text) {
    auto opened = Open(StoreFile({Bytes(text, text + std::strlen(text))}));
    REQUIRE(!opened.ok());
    CHECK(opened.failure().reason == FailureReason::kStoreUnreadable);
    return opened.failure().detail;
  };
  CHECK(detail_of("\x30\x03\x02\x01\x05") == "content");
  CHECK(detail_of("-----BEGIN NOBODY KNOWS-----\nMAMCAQU=\n"
                  "-----END NOBODY KNOWS-----\n") == "content");
}

TEST_CASE("a store's providers are its own") {
  const Identity& client = ThePki().clients.at("rsa");
  const StoreFile file({KeyPem(client.key.get())});
  auto opened = Open(file, std::nullopt, {"legacy"});
  REQUIRE(opened.ok());
  CHECK(OSSL_PROVIDER_available(nullptr, "legacy") == 0);
  CHECK(opened.value().keys[0]->Sign(0x0804, BytesView(kData)).ok());
}

TEST_CASE("a key outlives its store, and is freed by any thread") {
  const Identity& client = ThePki().clients.at("p256");
  const StoreFile file({KeyPem(client.key.get()), KeyPem(client.key.get())});
  auto opened = Open(file);
  REQUIRE(opened.ok());
  REQUIRE(opened.value().keys.size() == 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([key = opened.value().keys[i % 2]]() mutable {
      for (int j = 0; j < 20; j++) {
        if (!key->Sign(0x0403, BytesView(kData)).ok()) abort();
      }
      key.reset();
    });
  }
  opened.value().keys.clear();
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("a thread that has used a store ends after the store") {
  const Identity& client = ThePki().clients.at("p256");
  const StoreFile file({KeyPem(client.key.get())});
  auto key = Open(file).value().keys.at(0);
  std::promise<void> used;
  std::promise<void> freed;
  std::thread user([&] {
    if (!key->Sign(0x0403, BytesView(kData)).ok()) abort();
    used.set_value();
    freed.get_future().wait();
  });
  used.get_future().wait();
  key.reset();
  freed.set_value();
  user.join();
}

}  // namespace tls_client_cert::test
