#include "error_stack.h"

#include <openssl/err.h>

namespace tls_client_cert {

namespace {

// ERR_clear_error(3) goes through all sixteen entries, used or not.
void ClearErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

bool IsUnsupportedAlgorithm(const ErrorRecord& error) {
  return ERR_GET_LIB(error.code) == ERR_LIB_EVP &&
         ERR_GET_REASON(error.code) == ERR_R_UNSUPPORTED;
}

ErrorStack::ErrorStack() { ClearErrors(); }

ErrorStack::~ErrorStack() { ClearErrors(); }

ErrorMark::ErrorMark() { ERR_set_mark(); }

ErrorMark::~ErrorMark() { ERR_pop_to_mark(); }

std::vector<ErrorRecord> ErrorStack::Take() {
  std::vector<ErrorRecord> records;
  while (const unsigned long code = ERR_get_error()) {  // NOLINT
    ErrorRecord record;
    record.code = code;
    char text[256];
    ERR_error_string_n(code, text, sizeof(text));
    record.text = text;
    if (const char* library = ERR_lib_error_string(code)) {
      record.library = library;
    }
    if (const char* reason = ERR_reason_error_string(code)) {
      record.reason = reason;
    }
    records.push_back(std::move(record));
  }
  return records;
}

bool ErrorStack::LastIs(int library, int reason) {
  const unsigned long code = ERR_peek_last_error();  // NOLINT
  return ERR_GET_LIB(code) == library && ERR_GET_REASON(code) == reason;
}

}  // namespace tls_client_cert
