#include "seeds.h"

namespace tls_client_cert::fuzz {

void WriteExternalKeys(Folder folder) {
  const auto write = [&](const std::vector<Bytes>& calls) {
    Bytes out;
    for (Bytes call : calls) {
      call.resize(5);
      out.insert(out.end(), call.begin(), call.end());
    }
    folder.Write(out);
  };
  // external-key.cc has the numbers.
  for (const uint8_t who : {0, 1, 2}) {
    for (const uint8_t digest : {0, 1, 7, 8, 13}) {
      const Bytes make = {0, who};
      const Bytes init = {2, 0, 0, 0, digest};
      write({make, init, {4}, {6, 200}, {7, 72, 1}});
      write({make, init, {6, 200}, {8}, {5, 64}});
      write({make, init, {3, 0, 3, 0, 3}, {13, 3}, {14}, {5, 9}});
      write({{0, who, 0xff}, init, {6, 8}, {7, 72}});
      write({{0, who, 2, 1}, init, {6, 200}, {8}});
    }
    for (uint8_t name = 0; name < 14; name++) {
      write({{0, who},
             {1, name, 0, 0, 8},
             {1, name, 3, 0, 40},
             {10, name, 4, 0, 20},
             {10, name, 6, 0, 1}});
    }
    for (uint8_t other = 0; other < 8; other++) {
      write({{0, who},
             {11, other},
             {12, other},
             {9, other},
             {15, 64, 0, 1},
             {16, 4, 3, 1},
             {17}});
    }
    for (uint8_t type = 0; type < 9; type++) {
      write({{0, who},
             {2, 0, 0, 0, 0},
             {3, 0, type, 0, 4},
             {3, 0, type, 1, 3},
             {2, 1, type, 4, 0},
             {6, 200},
             {7, 70}});
    }
  }
  write({{21, 0, 129, 64},
         {18, 16, 0, 7, 2},
         {20, 0, 129, 64},
         {20, 1, 129, 64}});
  write({{21, 2, 129, 64}, {19}, {20, 2, 129, 64}});
  write({{21, 1, 3, 8}, {18, 16, 0, 7, 2}, {21, 1, 3, 8}, {18, 4, 0, 7, 3}});
}

}  // namespace tls_client_cert::fuzz
