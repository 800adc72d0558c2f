#include "resumption.h"

#include "error_stack.h"

namespace tls_client_cert {

namespace {

// A ClientHello has 64 KiB for all of its extensions (RFC 8446, 4.1.2), and a
// ticket may be as long (4.6.1): OpenSSL would fail to write it.
constexpr size_t kLongestTicket = 32 * 1024;

bool IsTooLong(const SSL_SESSION* session) {
  const unsigned char* ticket = nullptr;
  size_t length = 0;
  SSL_SESSION_get0_ticket(session, &ticket, &length);
  return length > kLongestTicket;
}

}  // namespace

SslSessionPointer Resumption::Choose(BytesView der, const Self& self) {
  if (der.size == 0) return nullptr;
  const ErrorMark errors;
  SslSessionPointer session = ParseSession(der);
  if (!session || IsTooLong(session.get())) return nullptr;
  std::optional<SessionMark> mark = ReadSessionMark(session.get());
  if (!mark || !Fits(*mark, self)) return nullptr;
  mark_ = std::move(mark);
  return session;
}

bool Resumption::Fits(const SessionMark& mark, const Self& self) {
  if (mark.trust.empty() || mark.trust != self.trust) return false;
  switch (mark.identity) {
    case SessionMark::Identity::kUnasked:
      return !self.must_be_known;
    case SessionMark::Identity::kDeclined:
      return self.declines && !self.must_be_known;
    case SessionMark::Identity::kOneLater:
      if (self.must_be_known) return false;
      [[fallthrough]];
    case SessionMark::Identity::kOne:
      for (const Credential::Pointer& credential : self.credentials) {
        if (credential->fingerprint() != mark.certificate) continue;
        credential_ = credential;
        return true;
      }
      return false;
    case SessionMark::Identity::kSeveral:
      return false;
  }
  return false;
}

}  // namespace tls_client_cert
