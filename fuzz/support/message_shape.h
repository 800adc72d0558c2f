// Where in a handshake message of a server's its vectors are, and how to change
// one so that all around it still fits, or does not.
#ifndef TLS_CLIENT_CERT_FUZZ_MESSAGE_SHAPE_H_
#define TLS_CLIENT_CERT_FUZZ_MESSAGE_SHAPE_H_

#include <vector>

#include "bytes.h"

namespace tls_client_cert::fuzz {

// A vector as TLS has them: a length of `width` bytes, and as many bytes.
struct Field {
  size_t at = 0;  // of the length, from the message's beginning
  size_t width = 0;
  size_t size = 0;
  int parent = -1;  // which field it is in, or -1

  size_t content() const { return at + width; }
  size_t end() const { return at + width + size; }
};

// Of a whole message, its header included. What does not have the shape that
// its type should have ends the search.
std::vector<Field> FieldsOf(const Bytes& message, bool tls13);

enum class FieldChange : uint8_t {
  kEmpty,
  kShorten,   // by `amount`
  kLengthen,  // by `amount` times `amount`
  kDouble,    // its content
  kFill,      // with a text chosen by `amount`
  kRemove,    // with its length
  kRepeat,    // with its length
  kGrow,      // its content over and over, to about 2^`amount` bytes
  kFlip,      // a bit in it
  kLieBelow,  // from here on only lengths, that do not fit any more
  kLieAbove,
  kLieZero,
  kLieMost,
};
constexpr int kFieldChanges = 13;

// The field is one of the message's, whatever number is given.
void ChangeField(Bytes* message, bool tls13, uint8_t field, FieldChange change,
                 uint8_t amount);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_MESSAGE_SHAPE_H_
