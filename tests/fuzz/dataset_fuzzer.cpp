// Any bytes, decompressed if they look like gzip, give an IDX array whose values fit its sizes, or a tenon::Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/data/gzip.hpp>
#include <tenon/data/idx.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    try {
        std::vector<std::byte> content;
        if (tenon::is_gzip(bytes)) {
            content = tenon::gunzip(bytes, "input", 1 << 20);
            bytes = content;
        }
        const tenon::IdxArray array = tenon::parse_idx(bytes, "input");
        std::size_t count = 1;
        for (const std::size_t length : array.sizes) count *= length;
        if (array.values.size() != count) std::abort();
    } catch (const tenon::Error&) {
    }
    return 0;
}
