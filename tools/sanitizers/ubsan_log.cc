// UBSan's runtime, where AddressSanitizer's was there before it, takes no
// log_path from UBSAN_OPTIONS and writes to a stderr that may be nobody's. Its
// interface is asked for by its library: the preloaded runtime of
// AddressSanitizer has functions of the same names.
#include <dlfcn.h>

#include <cstdlib>

namespace {

[[gnu::constructor]] void ReportIntoFile() {
  const char* path = std::getenv("TLS_CLIENT_CERT_UBSAN_LOG");
  void* runtime = dlopen("libubsan.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (path == nullptr || runtime == nullptr) return;
  using SetReportPath = void (*)(const char*);
  auto set = reinterpret_cast<SetReportPath>(
      dlsym(runtime, "__sanitizer_set_report_path"));
  if (set != nullptr) set(path);
}

}  // namespace
