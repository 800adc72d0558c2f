// Views of bytes owned elsewhere, and a queue of bytes owned here.
#ifndef TLS_CLIENT_CERT_OPENSSL_BYTES_H_
#define TLS_CLIENT_CERT_OPENSSL_BYTES_H_

#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tls_client_cert {

using Bytes = std::vector<uint8_t>;

// Writes over memory before it gives it back, also when what is in it grows.
template <typename T>
struct CleansingAllocator {
  using value_type = T;

  CleansingAllocator() = default;
  template <typename U>
  CleansingAllocator(const CleansingAllocator<U>&) {}  // NOLINT: of any type

  T* allocate(size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* memory, size_t count) {
    OPENSSL_cleanse(memory, count * sizeof(T));
    std::allocator<T>().deallocate(memory, count);
  }

  template <typename U>
  bool operator==(const CleansingAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const CleansingAllocator<U>&) const {
    return false;
  }
};

// For keys, and for what keys can be derived from.
using SecretBytes = std::vector<uint8_t, CleansingAllocator<uint8_t>>;
using SecretString =
    std::basic_string<char, std::char_traits<char>, CleansingAllocator<char>>;

// Bytes that someone else keeps alive for the length of the call.
struct BytesView {
  const uint8_t* data = nullptr;
  size_t size = 0;

  BytesView() = default;
  BytesView(const uint8_t* bytes, size_t length) : data(bytes), size(length) {}
  BytesView(const Bytes& bytes)  // NOLINT: a view of it is what is meant
      : data(bytes.data()), size(bytes.size()) {}
  BytesView(const SecretBytes& bytes)  // NOLINT: likewise
      : data(bytes.data()), size(bytes.size()) {}
  explicit BytesView(const std::string& text)
      : data(reinterpret_cast<const uint8_t*>(text.data())),
        size(text.size()) {}

  const char* chars() const { return reinterpret_cast<const char*>(data); }
};

// Memory for a queue, of no content yet.
struct Storage {
  Storage() = default;
  explicit Storage(size_t bytes)
      // Not by make_unique, which would write zeros over all of it.
      : memory(bytes == 0 ? nullptr : new uint8_t[bytes]), size(bytes) {}
  Storage(Storage&& other) noexcept
      : memory(std::move(other.memory)), size(std::exchange(other.size, 0)) {}
  Storage& operator=(Storage&& other) noexcept {
    memory = std::move(other.memory);
    size = std::exchange(other.size, 0);
    return *this;
  }

  std::unique_ptr<uint8_t[]> memory;
  size_t size = 0;
};

// First in, first out. Its storage is given back when it runs empty after a
// burst, so that an idle connection holds next to nothing; who moves a lot
// through many queues, one after another, lends each the same storage.
class ByteQueue {
 public:
  size_t size() const { return tail_ - head_; }
  bool empty() const { return tail_ == head_; }
  const uint8_t* data() const { return storage_.memory.get() + head_; }

  void Append(const void* data, size_t size) {
    if (size == 0) return;
    std::memcpy(Room(size), data, size);
    Commit(size);
  }

  // Where the next `size` bytes go: write there, then Commit what was written.
  uint8_t* Room(size_t size) {
    if (storage_.size - tail_ < size) MakeRoom(size);
    return storage_.memory.get() + tail_;
  }
  void Commit(size_t size) { tail_ += size; }

  size_t Take(void* out, size_t size) {
    const size_t taken = size < this->size() ? size : this->size();
    if (taken == 0) return 0;
    std::memcpy(out, data(), taken);
    Drop(taken);
    return taken;
  }

  void Drop(size_t size) {
    head_ += size;
    if (empty()) Clear();
  }

  void Clear() {
    head_ = tail_ = 0;
    if (storage_.size > kKeptSize && !lent_) storage_ = Storage();
  }

  // Uses `storage` from now on, until Return: nothing of it is freed
  // meanwhile. Only an empty queue takes it.
  void Lend(Storage* storage) {
    if (!empty() || lent_) return;
    storage_ = std::move(*storage);
    head_ = tail_ = 0;
    lent_ = true;
  }

  // Gives back what was lent; what is in it moves to storage of its own.
  void Return(Storage* storage) {
    if (!lent_) return;
    lent_ = false;
    *storage = std::move(storage_);
    Storage own(size());
    if (own.size > 0) std::memcpy(own.memory.get(), data(*storage), own.size);
    storage_ = std::move(own);
    tail_ = storage_.size;
    head_ = 0;
  }

 private:
  static constexpr size_t kKeptSize = 4096;

  const uint8_t* data(const Storage& storage) const {
    return storage.memory.get() + head_;
  }

  void MakeRoom(size_t room) {
    const size_t held = size();
    // Moving the rest down costs less than growing once most of it was read.
    const bool grows = storage_.size - held < room || head_ < held;
    if (grows) {
      const size_t doubled = storage_.size * 2;
      Storage larger(doubled < held + room ? held + room : doubled);
      if (held > 0) std::memcpy(larger.memory.get(), data(), held);
      storage_ = std::move(larger);
    } else if (held > 0) {
      std::memmove(storage_.memory.get(), data(), held);
    }
    head_ = 0;
    tail_ = held;
  }

  Storage storage_;
  size_t head_ = 0;
  size_t tail_ = 0;
  bool lent_ = false;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_BYTES_H_
