// The record protection of TLS 1.2 and 1.3 with AES-128-GCM and SHA-256, by
// keys that OpenSSL has written down: for whoever wants to get between.
#ifndef TLS_CLIENT_CERT_FUZZ_RECORD_CIPHER_H_
#define TLS_CLIENT_CERT_FUZZ_RECORD_CIPHER_H_

#include <optional>
#include <string>

#include "bytes.h"

namespace tls_client_cert::fuzz {

// A record without its header and protection.
struct Content {
  uint8_t type = 0;
  Bytes bytes;
};

Bytes Sha256Of(BytesView data);
Bytes HmacSha256(BytesView key, BytesView data);
// RFC 8446, section 7.1, with an empty context.
Bytes ExpandLabel(BytesView secret, const std::string& label, size_t size);

// One direction of a connection.
class RecordCipher {
 public:
  static RecordCipher Tls13(BytesView traffic_secret);
  // What the server writes with. RFC 5246, section 6.3, and RFC 5288.
  static RecordCipher Tls12(BytesView master_secret, BytesView client_random,
                            BytesView server_random);

  // A whole record, its header included. Nothing when it is not ours to read.
  std::optional<Content> Open(BytesView record);
  // `padding` is TLS 1.3's.
  Bytes Seal(const Content& content, size_t padding = 0);

 private:
  Bytes Nonce(BytesView explicit_part) const;
  Bytes AdditionalData(uint8_t type, size_t size) const;

  bool tls13_ = false;
  Bytes key_;
  Bytes iv_;
  uint64_t sequence_ = 0;
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_RECORD_CIPHER_H_
