// Inputs that are a few numbers and a list of parts, each what somebody might
// hand in: a certificate, a key, a name. Layout: mode, flags, a passphrase with
// its length in one byte, parts with theirs in two; the last may go on to the
// end.
#ifndef TLS_CLIENT_CERT_FUZZ_PARTS_H_
#define TLS_CLIENT_CERT_FUZZ_PARTS_H_

#include <vector>

#include "bytes.h"

namespace tls_client_cert::fuzz {

struct Parts {
  uint8_t mode = 0;
  uint8_t flags = 0;
  Bytes passphrase;
  std::vector<Bytes> parts;

  // The part of that number, or nothing.
  BytesView at(size_t index) const {
    return index < parts.size() ? BytesView(parts[index]) : BytesView();
  }
};

Parts ReadParts(BytesView input);
Bytes WriteParts(const Parts& parts);

// The body of LLVMFuzzerCustomMutator: knows DER and PEM, and keeps the rest of
// an input what it is. The target tells so many modes apart, by the remainder.
// Returns the new size.
size_t MutateParts(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                   int modes);

// `label` is what stands behind BEGIN.
Bytes ToPem(const char* label, BytesView der);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_PARTS_H_
