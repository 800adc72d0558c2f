#include "recalled_server.h"

#include <openssl/err.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "determinism.h"
#include "record_cipher.h"
#include "require.h"

namespace tls_client_cert::fuzz {

namespace {

// Of replies, behind one another; a megabyte or two in a second. When it is
// full all is forgotten, and the corpus' own stories have to be told anew.
constexpr size_t kRoom = 256 << 20;
constexpr size_t kSlots = 1 << 18;
// One in so many is asked of a real server as well.
constexpr unsigned kChecked = 512;

struct Slot {
  Bytes::value_type digest[32];
  uint32_t generation;
  uint32_t at;
  uint32_t said;
  uint32_t lines;
};

uint8_t* Reserve(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  return static_cast<uint8_t*>(memory);
}

struct Memory {
  std::vector<Slot> slots = std::vector<Slot>(kSlots);
  // Allocated once: libFuzzer takes what grows for a leak. And not by malloc():
  // whoever looks for leaks would search all of it for pointers.
  uint8_t* const room = Reserve(kRoom);
  size_t used = 0;
  uint32_t generation = 1;
  unsigned recalled = 0;

  Slot* SlotOf(const Bytes& digest) {
    const uint32_t number = static_cast<uint32_t>(digest[0]) << 16 |
                            static_cast<uint32_t>(digest[1]) << 8 | digest[2];
    return &slots[number % kSlots];
  }
};

Memory& TheMemory() {
  static auto* const memory = new Memory;
  return *memory;
}

int ServerIndex() {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// The server's random numbers are its own: what the client draws is the same
// whether there is a real one or not.
class OwnNumbers {
 public:
  explicit OwnNumbers(uint64_t* state)
      : state_(state), others_(ExchangeRandomState(*state)) {}
  ~OwnNumbers() { *state_ = ExchangeRandomState(others_); }
  OwnNumbers(const OwnNumbers&) = delete;
  OwnNumbers& operator=(const OwnNumbers&) = delete;

 private:
  uint64_t* state_;
  uint64_t others_;
};

}  // namespace

RecalledServer::RecalledServer(BytesView circumstances, uint64_t seed,
                               Make make, OnKeyLine on_key_line)
    : make_(std::move(make)),
      on_key_line_(std::move(on_key_line)),
      random_state_(~seed),
      digest_(circumstances.data, circumstances.data + circumstances.size) {
  const auto* number = reinterpret_cast<const uint8_t*>(&random_state_);
  digest_.insert(digest_.end(), number, number + sizeof(random_state_));
}

RecalledServer::~RecalledServer() {
  if (server_) SSL_set_ex_data(server_->ssl(), ServerIndex(), nullptr);
}

void RecalledServer::KeyLine(const SSL* ssl, const char* line) {
  auto* self =
      static_cast<RecalledServer*>(SSL_get_ex_data(ssl, ServerIndex()));
  if (self == nullptr) return;
  if (self->hearing_ != nullptr) {
    self->hearing_->key_lines.emplace_back(line);
  } else {
    self->on_key_line_(line);
  }
}

bool RecalledServer::Recall(const Bytes& digest, Reply* reply) {
  Memory& memory = TheMemory();
  const Slot& slot = *memory.SlotOf(digest);
  if (slot.generation != memory.generation ||
      std::memcmp(slot.digest, digest.data(), sizeof(slot.digest)) != 0) {
    return false;
  }
  const uint8_t* at = memory.room + slot.at;
  reply->said.assign(at, at + slot.said);
  const std::string lines(reinterpret_cast<const char*>(at) + slot.said,
                          slot.lines);
  for (size_t from = 0; from < lines.size();) {
    const size_t to = lines.find('\n', from);
    reply->key_lines.push_back(lines.substr(from, to - from));
    from = to + 1;
  }
  return true;
}

void RecalledServer::Remember(const Bytes& digest, const Reply& reply) {
  std::string lines;
  for (const std::string& line : reply.key_lines) lines += line + '\n';
  const size_t size = reply.said.size() + lines.size();
  Memory& memory = TheMemory();
  if (size > kRoom / 64) return;
  if (size > kRoom - memory.used) {
    memory.used = 0;
    memory.generation++;
  }
  Slot* slot = memory.SlotOf(digest);
  std::memcpy(slot->digest, digest.data(), sizeof(slot->digest));
  slot->generation = memory.generation;
  slot->at = static_cast<uint32_t>(memory.used);
  slot->said = static_cast<uint32_t>(reply.said.size());
  slot->lines = static_cast<uint32_t>(lines.size());
  uint8_t* at = memory.room + memory.used;
  std::copy(reply.said.begin(), reply.said.end(), at);
  std::copy(lines.begin(), lines.end(), at + slot->said);
  memory.used += size;
}

RecalledServer::Reply RecalledServer::Try(const Action& action) {
  const OwnNumbers own(&random_state_);
  Reply reply;
  hearing_ = &reply;
  action(*server_);
  ERR_clear_error();
  hearing_ = nullptr;
  reply.said = server_->Take();
  return reply;
}

void RecalledServer::Materialize() {
  if (server_) return;
  {
    const OwnNumbers own(&random_state_);
    server_ = make_();
    SSL_set_ex_data(server_->ssl(), ServerIndex(), this);
    SSL_CTX_set_keylog_callback(server_->context(), KeyLine);
  }
  for (const Action& action : std::exchange(earlier_, {})) Try(action);
}

Bytes RecalledServer::Tell(BytesView ciphertext) {
  return GoOn(
      0, ciphertext,
      [told = Bytes(ciphertext.data, ciphertext.data + ciphertext.size)](
          test::MemoryServer& server) {
        server.Receive(told);
        server.Advance();
      });
}

Bytes RecalledServer::Do(BytesView name, Action action) {
  return GoOn(1, name, std::move(action));
}

Bytes RecalledServer::GoOn(uint8_t kind, BytesView name, Action action) {
  // As MemoryServer would.
  ERR_clear_error();
  // Where what it was told was divided is part of it.
  Bytes story = std::move(digest_);
  story.push_back(kind);
  story.insert(story.end(), name.data, name.data + name.size);
  digest_ = Sha256Of(story);
  Reply reply;
  Reply recalled;
  const bool recalls = !server_ && Recall(digest_, &recalled);
  if (recalls && ++TheMemory().recalled % kChecked != 0) {
    earlier_.push_back(std::move(action));
    reply = std::move(recalled);
  } else {
    Materialize();
    reply = Try(action);
    if (recalls) {
      REQUIRE(reply.said == recalled.said);
      REQUIRE(reply.key_lines == recalled.key_lines);
    } else {
      Remember(digest_, reply);
    }
  }
  for (const std::string& line : reply.key_lines) on_key_line_(line);
  return std::move(reply.said);
}

}  // namespace tls_client_cert::fuzz
