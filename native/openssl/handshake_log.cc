#include "handshake_log.h"

#include <openssl/ssl.h>

namespace tls_client_cert {

namespace {

constexpr uint16_t kSignatureAlgorithmsCert = 50;

// Reads big-endian fields and never past the end: after the first field that
// does not fit, everything reads as empty and `ok` is false.
class Reader {
 public:
  explicit Reader(BytesView bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  size_t left() const { return rest_.size; }

  size_t Number(size_t width) {
    const BytesView field = Take(width);
    size_t value = 0;
    for (size_t i = 0; i < field.size; i++) value = value << 8 | field.data[i];
    return value;
  }

  // A vector with a length of `width` bytes in front.
  BytesView Vector(size_t width) { return Take(Number(width)); }

 private:
  BytesView Take(size_t size) {
    if (!ok_ || size > rest_.size) {
      ok_ = false;
      return {};
    }
    const BytesView taken(rest_.data, size);
    rest_ = BytesView(rest_.data + size, rest_.size - size);
    return taken;
  }

  BytesView rest_;
  bool ok_ = true;
};

}  // namespace

HandshakeLog::Note HandshakeLog::Record(bool outgoing, int version,
                                        int content_type, BytesView message) {
  Reader reader(message);
  if (content_type == SSL3_RT_ALERT && !outgoing) {
    reader.Number(1);  // the level, which TLS 1.3 ignores
    const auto description = static_cast<uint8_t>(reader.Number(1));
    if (reader.ok()) received_alert_ = description;
    return Note::kNothing;
  }
  if (content_type != SSL3_RT_HANDSHAKE) return Note::kNothing;
  const size_t type = reader.Number(1);
  const BytesView body = reader.Vector(3);
  if (!reader.ok()) return Note::kNothing;

  if (!outgoing && type == SSL3_MT_HELLO_REQUEST) return Note::kHelloRequest;
  if (outgoing && type == SSL3_MT_CLIENT_HELLO) {
    server_hello_received_ = false;
    requested_ = false;
    finished_ = 0;
  } else if (type == SSL3_MT_FINISHED) {
    finished_++;
  } else if (!outgoing && type == SSL3_MT_SERVER_HELLO) {
    server_hello_received_ = true;
  } else if (!outgoing && type == SSL3_MT_CERTIFICATE_REQUEST) {
    RecordRequest(version, body);
  } else if (!outgoing && type == SSL3_MT_SERVER_DONE && !requested_) {
    return Note::kNotRequested;
  } else if (outgoing && type == SSL3_MT_CERTIFICATE) {
    Reader fields(body);
    if (version >= TLS1_3_VERSION) fields.Vector(1);  // request context
    certificate_ = fields.Vector(3).size > 0 ? Certificate::kSent
                                             : Certificate::kSentEmpty;
    return Note::kCertificateWritten;
  } else if (outgoing && type == SSL3_MT_CERTIFICATE_VERIFY &&
             version >= TLS1_2_VERSION) {
    Reader fields(body);
    const auto scheme = static_cast<SignatureScheme>(fields.Number(2));
    if (fields.ok()) signature_scheme_ = scheme;
  }
  return Note::kNothing;
}

void HandshakeLog::EndRenegotiation(bool resumed) {
  if (requested_ || resumed) return;
  certificate_ = Certificate::kNotRequested;
  signature_scheme_.reset();
}

void HandshakeLog::RecordRequest(int version, BytesView body) {
  certificate_ = Certificate::kRequested;
  requested_ = true;
  signature_scheme_.reset();
  certificate_schemes_.clear();
  if (version < TLS1_3_VERSION) return;
  Reader fields(body);
  fields.Vector(1);  // request context
  Reader extensions(fields.Vector(2));
  while (extensions.left() > 0) {
    const size_t type = extensions.Number(2);
    Reader extension(extensions.Vector(2));
    if (!extensions.ok()) return;
    if (type != kSignatureAlgorithmsCert) continue;
    Reader schemes(extension.Vector(2));
    while (schemes.left() > 1) {
      certificate_schemes_.push_back(
          static_cast<SignatureScheme>(schemes.Number(2)));
    }
  }
}

}  // namespace tls_client_cert
