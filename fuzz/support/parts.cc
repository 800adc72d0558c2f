#include "parts.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "der_tree.h"
#include "input.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size)
    __attribute__((weak));

namespace tls_client_cert::fuzz {

namespace {

constexpr size_t kMostParts = 12;

Bytes MutatedBytes(Bytes bytes) {
  const size_t size = bytes.size();
  bytes.resize(size + 32);
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
  return bytes;
}

// libFuzzer goes back to the inputs that reach something which others do not.
// Of a mode with little code, most of it in OpenSSL, there are so few that it
// would be starved: every second mutation is of the mode that had the fewest.
class Turns {
 public:
  // The input to mutate in place of `parts`, or that itself.
  Parts Choose(Parts parts, int modes, bool fair) {
    modes_.resize(static_cast<size_t>(modes));
    Mode& own = modes_[parts.mode % modes_.size()];
    own.last = parts;
    Mode* next = &own;
    for (Mode& mode : modes_) {
      if (fair && mode.last && mode.count < next->count) next = &mode;
    }
    next->count++;
    return *next->last;
  }

 private:
  struct Mode {
    std::optional<Parts> last;
    unsigned count = 0;
  };
  std::vector<Mode> modes_;
};

}  // namespace

Parts ReadParts(BytesView bytes) {
  Input input(bytes);
  Parts read;
  read.mode = input.Byte();
  read.flags = input.Byte();
  const BytesView passphrase = input.Take(input.Byte());
  read.passphrase.assign(passphrase.data, passphrase.data + passphrase.size);
  while (!input.empty() && read.parts.size() < kMostParts) {
    const BytesView part = input.Part();
    read.parts.emplace_back(part.data, part.data + part.size);
  }
  return read;
}

Bytes WriteParts(const Parts& parts) {
  const size_t length = std::min<size_t>(parts.passphrase.size(), 255);
  Bytes out = {parts.mode, parts.flags, static_cast<uint8_t>(length)};
  out.insert(out.end(), parts.passphrase.begin(),
             parts.passphrase.begin() + static_cast<ptrdiff_t>(length));
  for (const Bytes& part : parts.parts) {
    out.push_back(static_cast<uint8_t>(part.size() >> 8));
    out.push_back(static_cast<uint8_t>(part.size()));
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

size_t MutateParts(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                   int modes) {
  if (LLVMFuzzerMutate == nullptr) return size;
  std::minstd_rand random(seed);
  const auto below = [&](size_t limit) {
    return static_cast<size_t>(random()) % limit;
  };
  Parts parts = ReadParts({data, size});
  if (parts.parts.empty() || below(16) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  // Never freed: the fuzzer ends by exit().
  static auto* const turns = new Turns;
  parts = turns->Choose(std::move(parts), modes, below(2) == 0);
  std::vector<Bytes>& list = parts.parts;
  const size_t one = below(list.size());
  switch (below(12)) {
    case 0:
      parts.mode = static_cast<uint8_t>(below(256));
      break;
    case 1:
      parts.flags = static_cast<uint8_t>(parts.flags ^ 1u << below(8));
      break;
    case 2:
      parts.passphrase = MutatedBytes(parts.passphrase);
      break;
    case 3:
      std::swap(list[one], list[below(list.size())]);
      break;
    case 4: {
      const Bytes copy = list[one];
      list.push_back(copy);
      break;
    }
    case 5:
      list.erase(list.begin() + static_cast<ptrdiff_t>(one));
      break;
    case 6:
      list[one] = MutatedBytes(list[one]);
      break;
    default:
      list[one] = MutateDer(list[one], seed, MutatedBytes);
  }
  const Bytes out = WriteParts(parts);
  const size_t written = std::min(out.size(), max_size);
  std::copy_n(out.begin(), written, data);
  return written;
}

Bytes ToPem(const char* label, BytesView der) {
  std::string text = std::string("-----BEGIN ") + label + "-----\n";
  // In lines of 64, which are 48 bytes.
  for (size_t at = 0; at < der.size; at += 48) {
    const size_t size = std::min<size_t>(48, der.size - at);
    unsigned char line[66];
    EVP_EncodeBlock(line, der.data + at, static_cast<int>(size));
    text += reinterpret_cast<const char*>(line);
    text += '\n';
  }
  text += std::string("-----END ") + label + "-----\n";
  return Bytes(text.begin(), text.end());
}

}  // namespace tls_client_cert::fuzz
