// An input as a sequence of choices. Past its end everything is zero, so that a
// short input is as good as a long one.
#ifndef TLS_CLIENT_CERT_FUZZ_INPUT_H_
#define TLS_CLIENT_CERT_FUZZ_INPUT_H_

#include <algorithm>

#include "bytes.h"

namespace tls_client_cert::fuzz {

class Input {
 public:
  explicit Input(BytesView bytes) : rest_(bytes) {}

  bool empty() const { return rest_.size == 0; }
  BytesView rest() const { return rest_; }

  uint8_t Byte() {
    const BytesView byte = Take(1);
    return byte.size == 0 ? 0 : byte.data[0];
  }

  uint16_t Number() {
    const int high = Byte();
    return static_cast<uint16_t>(high << 8 | Byte());
  }

  BytesView Take(size_t size) {
    size = std::min(size, rest_.size);
    const BytesView taken(rest_.data, size);
    rest_ = BytesView(rest_.data + size, rest_.size - size);
    return taken;
  }

  // What a length of two bytes in front says, as far as it is there.
  BytesView Part() { return Take(Number()); }

 private:
  BytesView rest_;
};

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_INPUT_H_
