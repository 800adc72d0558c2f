#include "journal.h"

#include <cstring>

// Not every libssl that Node may be linked to has it: a null pointer then, in
// place of an addon that cannot be loaded.
extern "C" void SSL_trace(int outgoing, int version, int content_type,
                          const void* message, size_t size, SSL* ssl, void* bio)
    __attribute__((weak));

namespace tls_client_cert {

void Journal::AddKeyLine(const char* line) {
  const BytesView text(reinterpret_cast<const uint8_t*>(line),
                       std::strlen(line));
  SecretBytes whole(text.size + 1, '\n');
  std::memcpy(whole.data(), text.data, text.size);
  key_lines_.push_back(std::move(whole));
}

bool Journal::BeginTrace() {
  if (SSL_trace == nullptr) return false;
  if (!trace_) trace_.reset(BIO_new(BIO_s_mem()));
  return tracing();
}

void Journal::Trace(int outgoing, int version, int content_type,
                    BytesView message, SSL* ssl) {
  if (!tracing()) return;
  SSL_trace(outgoing, version, content_type, message.data, message.size, ssl,
            trace_.get());
}

Bytes Journal::TakeTrace() {
  if (!tracing()) return {};
  Bytes text(BIO_ctrl_pending(trace_.get()));
  if (!text.empty()) {
    BIO_read(trace_.get(), text.data(), static_cast<int>(text.size()));
  }
  return text;
}

bool Journal::empty() const {
  return key_lines_.empty() &&
         (!tracing() || BIO_ctrl_pending(trace_.get()) == 0);
}

}  // namespace tls_client_cert
