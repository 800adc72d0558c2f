// Views of bytes owned elsewhere, and a queue of bytes owned here.
#ifndef TLS_CLIENT_CERT_OPENSSL_BYTES_H_
#define TLS_CLIENT_CERT_OPENSSL_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace tls_client_cert {

using Bytes = std::vector<uint8_t>;

// Bytes that someone else keeps alive for the length of the call.
struct BytesView {
  const uint8_t* data = nullptr;
  size_t size = 0;

  BytesView() = default;
  BytesView(const uint8_t* bytes, size_t length) : data(bytes), size(length) {}
  BytesView(const Bytes& bytes)  // NOLINT: a view of it is what is meant
      : data(bytes.data()), size(bytes.size()) {}
  explicit BytesView(const std::string& text)
      : data(reinterpret_cast<const uint8_t*>(text.data())),
        size(text.size()) {}

  const char* chars() const { return reinterpret_cast<const char*>(data); }
};

// First in, first out. Its storage is given back when it runs empty after a
// burst, so that an idle connection holds next to nothing.
class ByteQueue {
 public:
  size_t size() const { return bytes_.size() - head_; }
  bool empty() const { return size() == 0; }
  const uint8_t* data() const { return bytes_.data() + head_; }

  void Append(const void* data, size_t size) {
    if (size == 0) return;
    // Moving the rest down costs less than growing once most of it was read.
    if (head_ > 0 && head_ >= bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(),
                   bytes_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
    }
    const uint8_t* first = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }

  size_t Take(void* out, size_t size) {
    const size_t taken = size < this->size() ? size : this->size();
    if (taken == 0) return 0;
    std::memcpy(out, data(), taken);
    head_ += taken;
    if (empty()) Clear();
    return taken;
  }

  void Clear() {
    head_ = 0;
    if (bytes_.capacity() > kKeptCapacity) {
      Bytes().swap(bytes_);
    } else {
      bytes_.clear();
    }
  }

 private:
  static constexpr size_t kKeptCapacity = 4096;

  Bytes bytes_;
  size_t head_ = 0;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_BYTES_H_
