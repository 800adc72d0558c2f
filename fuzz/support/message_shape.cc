#include "message_shape.h"

#include <openssl/ssl3.h>

#include <algorithm>

namespace tls_client_cert::fuzz {

namespace {

constexpr size_t kHeader = 4;
constexpr size_t kMostBytes = 1 << 15;

// The body of a message: digits are bytes of fixed meaning; a, b and c are
// vectors with lengths of one, two and three bytes; what is in brackets behind
// one is repeated in it.
const char* ShapeOf(uint8_t type, bool tls13) {
  switch (type) {
    case SSL3_MT_SERVER_HELLO:
      // Version and random as 8 + 8 + 8 + 8 + 2.
      return "88882a21b(2b)";
    case SSL3_MT_ENCRYPTED_EXTENSIONS:
      return "b(2b)";
    case SSL3_MT_CERTIFICATE:
      return tls13 ? "ac(cb(2b))" : "c(c)";
    case SSL3_MT_CERTIFICATE_REQUEST:
      return tls13 ? "ab(2b)" : "abb(b)";
    case SSL3_MT_CERTIFICATE_STATUS:
      return "1c";
    case SSL3_MT_SERVER_KEY_EXCHANGE:
      return "12a2b";
    case SSL3_MT_CERTIFICATE_VERIFY:
      return "2b";
    case SSL3_MT_NEWSESSION_TICKET:
      return tls13 ? "44abb(2b)" : "4b";
    default:
      return "";
  }
}

size_t ReadNumber(const Bytes& from, size_t at, size_t width) {
  size_t number = 0;
  for (size_t i = 0; i < width; i++) number = number << 8 | from[at + i];
  return number;
}

void WriteNumber(Bytes* to, size_t at, size_t width, size_t number) {
  for (size_t i = 0; i < width; i++) {
    (*to)[at + i] = static_cast<uint8_t>(number >> (8 * (width - 1 - i)));
  }
}

class Search {
 public:
  explicit Search(const Bytes& message) : message_(message) {}

  // From `at` to `end` by `shape`, up to a closing bracket. Returns where the
  // shape ends, or null when the bytes do not have it.
  const char* Follow(const char* shape, size_t* at, size_t end, int parent) {
    for (; *shape != '\0' && *shape != ')'; shape++) {
      if (*shape >= '1' && *shape <= '8') {
        *at += static_cast<size_t>(*shape - '0');
        if (*at > end) return nullptr;
        continue;
      }
      const bool has_inner = shape[1] == '(';
      const size_t width = static_cast<size_t>(*shape - 'a') + 1;
      if (end - *at < width) return nullptr;
      const size_t size = ReadNumber(message_, *at, width);
      if (end - *at - width < size) return nullptr;
      const int index = static_cast<int>(fields_.size());
      fields_.push_back({*at, width, size, parent});
      size_t inside = *at + width;
      *at = inside + size;
      if (!has_inner) {
        Guess(inside, *at, index);
        continue;
      }
      const char* const inner = shape + 2;
      while (inside < *at) {
        if (Follow(inner, &inside, *at, index) == nullptr) return nullptr;
      }
      shape = inner;
      for (int depth = 1; depth > 0; shape++) {
        depth += *shape == '(' ? 1 : *shape == ')' ? -1 : 0;
      }
      shape--;
    }
    return shape;
  }

  std::vector<Field> Take() { return std::move(fields_); }

 private:
  // Many extensions are a list, and the list's elements vectors.
  void Guess(size_t at, size_t end, int parent) {
    if (end - at < 2 || ReadNumber(message_, at, 2) != end - at - 2) return;
    const size_t before = fields_.size();
    const int list = static_cast<int>(before);
    fields_.push_back({at, 2, end - at - 2, parent});
    size_t inside = at + 2;
    while (inside < end) {
      if (end - inside < 2) break;
      const size_t size = ReadNumber(message_, inside, 2);
      if (size == 0 || end - inside - 2 < size) break;
      fields_.push_back({inside, 2, size, list});
      inside += 2 + size;
    }
    if (inside != end) fields_.resize(before + 1);
  }

  const Bytes& message_;
  std::vector<Field> fields_;
};

// Puts `content` in place of what is from `at` to `end`, both in `parent`.
void Replace(Bytes* message, const std::vector<Field>& fields, int parent,
             size_t at, size_t end, const Bytes& content) {
  for (int i = parent; i >= 0; i = fields[static_cast<size_t>(i)].parent) {
    const Field& around = fields[static_cast<size_t>(i)];
    WriteNumber(message, around.at, around.width,
                around.size - (end - at) + content.size());
  }
  message->erase(message->begin() + static_cast<ptrdiff_t>(at),
                 message->begin() + static_cast<ptrdiff_t>(end));
  message->insert(message->begin() + static_cast<ptrdiff_t>(at),
                  content.begin(), content.end());
  WriteNumber(message, 1, 3, message->size() - kHeader);
}

Bytes FillOf(uint8_t which) {
  static const Bytes fills[] = {
      // Signature schemes, known and unknown.
      {4, 3, 8, 7, 8, 4, 5, 3, 4, 1, 2, 1, 0xfe, 0xfe},
      {8, 0x1a, 8, 9, 8, 8, 6, 3},
      {8, 4, 4, 1},
      {2, 3},
      // Types of certificates.
      {64, 1, 2, 0, 255},
      // A name, and two of one.
      {0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c,
       0x04, 'R', 'o', 'o', 't'},
      {0, 2, 0x30, 0, 0, 2, 0x30, 0},
      {'h', '2'},
      {0, 3, 2, 'h', '2'},
      {0},
      Bytes(255, 0xff),
      {0, 0},
  };
  return fills[which % (sizeof(fills) / sizeof(fills[0]))];
}

}  // namespace

std::vector<Field> FieldsOf(const Bytes& message, bool tls13) {
  if (message.size() < kHeader) return {};
  Search search(message);
  size_t at = kHeader;
  search.Follow(ShapeOf(message[0], tls13), &at, message.size(), -1);
  return search.Take();
}

void ChangeField(Bytes* message, bool tls13, uint8_t which, FieldChange change,
                 uint8_t amount) {
  const std::vector<Field> fields = FieldsOf(*message, tls13);
  if (fields.empty()) return;
  const int index = which % static_cast<int>(fields.size());
  const Field& field = fields[static_cast<size_t>(index)];
  const auto begin = message->begin() + static_cast<ptrdiff_t>(field.content());
  Bytes content(begin, begin + static_cast<ptrdiff_t>(field.size));
  const auto put = [&](const Bytes& changed) {
    if (changed.size() >= (size_t{1} << (8 * field.width))) return;
    Replace(message, fields, index, field.content(), field.end(), changed);
  };
  const auto lie = [&](size_t length) {
    WriteNumber(message, field.at, field.width, length);
  };
  switch (change) {
    case FieldChange::kEmpty:
      return put({});
    case FieldChange::kShorten:
      content.resize(content.size() -
                     std::min<size_t>(content.size(), 1u + amount));
      return put(content);
    case FieldChange::kLengthen:
      content.insert(content.end(), 1u + amount, amount);
      return put(content);
    case FieldChange::kDouble:
      content.insert(content.end(), content.begin(), content.end());
      return put(content);
    case FieldChange::kFill:
      return put(FillOf(amount));
    case FieldChange::kRemove:
      return Replace(message, fields, field.parent, field.at, field.end(), {});
    case FieldChange::kRepeat: {
      const auto first = message->begin() + static_cast<ptrdiff_t>(field.at);
      const Bytes whole(first,
                        first + static_cast<ptrdiff_t>(field.end() - field.at));
      return Replace(message, fields, field.parent, field.end(), field.end(),
                     whole);
    }
    case FieldChange::kGrow: {
      if (content.empty()) content.push_back(0);
      const Bytes seed = content;
      const size_t wanted =
          std::min<size_t>({kMostBytes, size_t{1} << (amount % 16),
                            (size_t{1} << (8 * field.width)) - 1});
      while (content.size() + seed.size() <= wanted) {
        content.insert(content.end(), seed.begin(), seed.end());
      }
      return put(content);
    }
    case FieldChange::kFlip:
      if (content.empty()) return;
      content[(amount >> 3) % content.size()] ^=
          static_cast<uint8_t>(1 << (amount & 7));
      return put(content);
    case FieldChange::kLieBelow:
      return lie(field.size - std::min<size_t>(field.size, 1u + amount));
    case FieldChange::kLieAbove:
      return lie(field.size + 1u + amount);
    case FieldChange::kLieZero:
      return lie(0);
    case FieldChange::kLieMost:
      return lie((size_t{1} << (8 * field.width)) - 1);
  }
}

}  // namespace tls_client_cert::fuzz
