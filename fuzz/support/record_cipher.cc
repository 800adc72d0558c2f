#include "record_cipher.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <openssl/ssl3.h>

#include <memory>

#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr size_t kHeader = SSL3_RT_HEADER_LENGTH;
constexpr size_t kTag = 16;
constexpr size_t kExplicitNonce = 8;

using CipherContext =
    std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// Kept, as is the fetched cipher: half of the cost of a short record.
EVP_CIPHER_CTX* Gcm() {
  static const CipherContext context = [] {
    CipherContext made(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
    REQUIRE(EVP_CipherInit_ex2(made.get(), cipher, nullptr, nullptr, 1,
                               nullptr) == 1);
    EVP_CIPHER_free(cipher);
    return made;
  }();
  return context.get();
}

void Append(Bytes* to, BytesView bytes) {
  to->insert(to->end(), bytes.data, bytes.data + bytes.size);
}

void AppendNumber(Bytes* to, uint64_t number, int width) {
  for (int i = width - 1; i >= 0; i--) {
    to->push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
}

// RFC 5246, section 5.
Bytes Prf(BytesView secret, const std::string& label, BytesView seed,
          size_t size) {
  Bytes labelled(label.begin(), label.end());
  Append(&labelled, seed);
  Bytes out;
  Bytes chain = labelled;
  while (out.size() < size) {
    chain = HmacSha256(secret, chain);
    Bytes block = chain;
    Append(&block, labelled);
    Append(&out, HmacSha256(secret, block));
  }
  out.resize(size);
  return out;
}

}  // namespace

Bytes Sha256Of(BytesView data) {
  Bytes digest(SHA256_DIGEST_LENGTH);
  SHA256(data.data, data.size, digest.data());
  return digest;
}

Bytes HmacSha256(BytesView key, BytesView data) {
  Bytes mac(SHA256_DIGEST_LENGTH);
  unsigned size = 0;
  REQUIRE(HMAC(EVP_sha256(), key.data, static_cast<int>(key.size), data.data,
               data.size, mac.data(), &size) != nullptr);
  return mac;
}

Bytes ExpandLabel(BytesView secret, const std::string& label, size_t size) {
  REQUIRE(size <= SHA256_DIGEST_LENGTH);
  const std::string whole = "tls13 " + label;
  Bytes info;
  AppendNumber(&info, size, 2);
  AppendNumber(&info, whole.size(), 1);
  Append(&info, BytesView(whole));
  info.push_back(0);
  info.push_back(1);  // HKDF-Expand's first block, and no more is needed
  Bytes out = HmacSha256(secret, info);
  out.resize(size);
  return out;
}

RecordCipher RecordCipher::Tls13(BytesView traffic_secret) {
  RecordCipher cipher;
  cipher.tls13_ = true;
  cipher.key_ = ExpandLabel(traffic_secret, "key", 16);
  cipher.iv_ = ExpandLabel(traffic_secret, "iv", 12);
  return cipher;
}

RecordCipher RecordCipher::Tls12(BytesView master_secret,
                                 BytesView client_random,
                                 BytesView server_random) {
  Bytes seed(server_random.data, server_random.data + server_random.size);
  Append(&seed, client_random);
  // Both keys, then both nonces; the client's before the server's.
  const Bytes block = Prf(master_secret, "key expansion", seed, 40);
  RecordCipher cipher;
  cipher.key_.assign(block.begin() + 16, block.begin() + 32);
  cipher.iv_.assign(block.begin() + 36, block.begin() + 40);
  return cipher;
}

Bytes RecordCipher::Nonce(BytesView explicit_part) const {
  Bytes nonce = iv_;
  if (!tls13_) {
    Append(&nonce, explicit_part);
    return nonce;
  }
  for (int i = 0; i < 8; i++) {
    nonce[11 - i] ^= static_cast<uint8_t>(sequence_ >> (8 * i));
  }
  return nonce;
}

Bytes RecordCipher::AdditionalData(uint8_t type, size_t size) const {
  Bytes data;
  data.reserve(13);
  if (tls13_) {
    data = {SSL3_RT_APPLICATION_DATA, 3, 3};
    AppendNumber(&data, size + kTag, 2);
  } else {
    AppendNumber(&data, sequence_, 8);
    Append(&data, Bytes{type, 3, 3});
    AppendNumber(&data, size, 2);
  }
  return data;
}

std::optional<Content> RecordCipher::Open(BytesView record) {
  const size_t before = kHeader + (tls13_ ? 0 : kExplicitNonce);
  if (record.size < before + kTag) return std::nullopt;
  const size_t size = record.size - before - kTag;
  Content content;
  content.type = record.data[0];
  content.bytes.resize(size);
  const Bytes nonce = Nonce(BytesView(record.data + kHeader, kExplicitNonce));
  const Bytes bound = AdditionalData(content.type, size);
  EVP_CIPHER_CTX* gcm = Gcm();
  int done = 0;
  if (EVP_DecryptInit_ex2(gcm, nullptr, key_.data(), nonce.data(), nullptr) !=
          1 ||
      EVP_DecryptUpdate(gcm, nullptr, &done, bound.data(),
                        static_cast<int>(bound.size())) != 1 ||
      EVP_DecryptUpdate(gcm, content.bytes.data(), &done, record.data + before,
                        static_cast<int>(size)) != 1 ||
      EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, kTag,
                          const_cast<uint8_t*>(record.data + before + size)) !=
          1 ||
      EVP_DecryptFinal_ex(gcm, nullptr, &done) != 1) {
    return std::nullopt;
  }
  sequence_++;
  if (!tls13_) return content;
  while (!content.bytes.empty() && content.bytes.back() == 0) {
    content.bytes.pop_back();
  }
  if (content.bytes.empty()) return std::nullopt;
  content.type = content.bytes.back();
  content.bytes.pop_back();
  return content;
}

Bytes RecordCipher::Seal(const Content& content, size_t padding) {
  Bytes plain;
  plain.reserve(content.bytes.size() + 1 + padding);
  plain = content.bytes;
  if (tls13_) {
    plain.push_back(content.type);
    plain.insert(plain.end(), padding, 0);
  }
  const uint8_t type = tls13_ ? SSL3_RT_APPLICATION_DATA : content.type;
  Bytes explicit_part;
  if (!tls13_) AppendNumber(&explicit_part, sequence_, kExplicitNonce);
  const Bytes nonce = Nonce(explicit_part);
  const Bytes bound = AdditionalData(type, plain.size());
  Bytes record = {type, 3, 3};
  AppendNumber(&record, explicit_part.size() + plain.size() + kTag, 2);
  Append(&record, explicit_part);
  const size_t before = record.size();
  record.resize(before + plain.size() + kTag);
  EVP_CIPHER_CTX* gcm = Gcm();
  int done = 0;
  REQUIRE(EVP_EncryptInit_ex2(gcm, nullptr, key_.data(), nonce.data(),
                              nullptr) == 1);
  REQUIRE(EVP_EncryptUpdate(gcm, nullptr, &done, bound.data(),
                            static_cast<int>(bound.size())) == 1);
  REQUIRE(EVP_EncryptUpdate(gcm, record.data() + before, &done, plain.data(),
                            static_cast<int>(plain.size())) == 1);
  REQUIRE(EVP_EncryptFinal_ex(gcm, nullptr, &done) == 1);
  REQUIRE(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, kTag,
                              record.data() + before + plain.size()) == 1);
  sequence_++;
  return record;
}

}  // namespace tls_client_cert::fuzz
