// A safetensors file put together by hand, right or wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace tenon_test {

inline std::string file_bytes(const std::string& header, const std::string& data) {
    std::string bytes(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
}

}  // namespace tenon_test
