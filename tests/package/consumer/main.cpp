// A user's program, the same for each way to depend on tenon.
#include <cstdio>
#include <string>

#include <tenon/core/shape.hpp>
#include <tenon/version.hpp>

int main() {
    const std::string version = std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
                                std::to_string(TENON_VERSION_PATCH);
    if (version != EXPECTED_VERSION) {
        std::printf("version %s, expected %s\n", version.c_str(), EXPECTED_VERSION);
        return 1;
    }
    std::printf("tenon %s, %s\n", version.c_str(), to_string(tenon::Shape{3, 224, 224}).c_str());
}
