#include "session_mark.h"

#include <cstring>

namespace tls_client_cert {

namespace {

// The mark is kept in the field that OpenSSL has for a server's own data in a
// ticket: it is part of the DER form, and a client has no other use for it.
// Layout: magic, identity, trust, certificate; the last only if there is one.
constexpr char kMagic[] = {'T', 'C', 'C', '1'};
constexpr size_t kDigestSize = 32;
constexpr size_t kHeaderSize = sizeof(kMagic) + 1 + kDigestSize;

}  // namespace

void SessionMark::Declined() {
  if (identity == Identity::kUnasked) identity = Identity::kDeclined;
  NotShownAgain();
}

void SessionMark::NotShownAgain() {
  if (has_certificate()) identity = Identity::kSeveral;
}

void SessionMark::Shown(const Bytes& fingerprint, bool later) {
  switch (identity) {
    case Identity::kUnasked:
    case Identity::kDeclined:
      identity = later ? Identity::kOneLater : Identity::kOne;
      certificate = fingerprint;
      break;
    case Identity::kOne:
    case Identity::kOneLater:
      if (certificate != fingerprint) identity = Identity::kSeveral;
      break;
    case Identity::kSeveral:
      break;
  }
}

bool WriteSessionMark(SSL_SESSION* session, const SessionMark& mark) {
  if (mark.trust.size() != kDigestSize) return false;
  Bytes data(kMagic, kMagic + sizeof(kMagic));
  data.push_back(static_cast<uint8_t>(mark.identity));
  data.insert(data.end(), mark.trust.begin(), mark.trust.end());
  if (mark.has_certificate()) {
    if (mark.certificate.size() != kDigestSize) return false;
    data.insert(data.end(), mark.certificate.begin(), mark.certificate.end());
  }
  return SSL_SESSION_set1_ticket_appdata(session, data.data(), data.size()) ==
         1;
}

std::optional<SessionMark> ReadSessionMark(SSL_SESSION* session) {
  void* raw = nullptr;
  size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &raw, &size) != 1 ||
      raw == nullptr || size < kHeaderSize ||
      std::memcmp(raw, kMagic, sizeof(kMagic)) != 0) {
    return std::nullopt;
  }
  const uint8_t* data = static_cast<const uint8_t*>(raw);
  const uint8_t identity = data[sizeof(kMagic)];
  if (identity > static_cast<uint8_t>(SessionMark::Identity::kOneLater)) {
    return std::nullopt;
  }
  SessionMark mark;
  mark.identity = static_cast<SessionMark::Identity>(identity);
  mark.trust.assign(data + kHeaderSize - kDigestSize, data + kHeaderSize);
  const bool one = mark.has_certificate();
  if (size != kHeaderSize + (one ? kDigestSize : 0)) return std::nullopt;
  if (one) mark.certificate.assign(data + kHeaderSize, data + size);
  return mark;
}

SecretBytes SerializeSession(SSL_SESSION* session) {
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0) return {};
  SecretBytes der(static_cast<size_t>(size));
  uint8_t* out = der.data();
  if (i2d_SSL_SESSION(session, &out) != size) return {};
  return der;
}

SslSessionPointer ParseSession(BytesView der) {
  const uint8_t* position = der.data;
  return SslSessionPointer(
      d2i_SSL_SESSION(nullptr, &position,
                      static_cast<long>(der.size)));  // NOLINT
}

}  // namespace tls_client_cert
