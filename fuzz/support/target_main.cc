#include <openssl/err.h>

#include "openssl_memory.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tls_client_cert::fuzz;  // NOLINT: of this function's
  LeavingNothing([&] {
    Execute({data, size});
    ERR_clear_error();
  });
  return 0;
}
