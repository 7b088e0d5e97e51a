#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How many threads this process should use when nobody says: one per core that it may use, and no more than its
// container has time for. A container with the time of 2 of 64 cores that runs 64 threads stops for most of every
// period.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/task_arena.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Reads the limits of Linux control groups, versions 1 and 2. `root` is where the file system begins, for tests.
class ControlGroups {
public:
    explicit ControlGroups(std::string root = {}) : root_{std::move(root)} {}

    /// The processor time per second that all groups of this process allow, at least 1 core, rounded up: 2 for 150 ms
    /// in each 100 ms. Nothing when there is no limit, or no control groups.
    std::optional<int> cores() const {
        double least = -1;
        std::istringstream mounts{read(root_ + "/proc/self/mountinfo")};
        for (std::string line; std::getline(mounts, line);)
            if (const std::optional<Mount> mount = mount_of(line))
                for (const std::string& folder : folders_of(*mount))
                    if (const double limit = mount->is_version_2 ? limit_2(folder) : limit_1(folder); limit > 0)
                        least = least < 0 ? limit : std::min(least, limit);
        if (least < 0) return {};
        constexpr double max_cores = 1 << 20;
        return std::max(1, static_cast<int>(std::ceil(std::min(least, max_cores))));
    }

private:
    /// Where the groups of one kind are in the file system.
    struct Mount {
        std::string group, folder;  // the group that the folder shows
        bool is_version_2 = false;
    };

    /// A line of mountinfo: `31 23 0:26 /group /sys/fs/cgroup rw,... shared:4 - cgroup2 cgroup2 rw,nsdelegate`.
    static std::optional<Mount> mount_of(const std::string& line) {
        const std::vector<std::string> words = split(line, ' ');
        const auto dash = std::ranges::find(words, "-");
        if (words.size() < 6 || words.end() - dash < 4) return {};
        const std::vector<std::string> controllers = split(dash[3], ',');
        const bool is_version_2 = dash[1] == "cgroup2";
        if (!is_version_2 && (dash[1] != "cgroup" || std::ranges::find(controllers, "cpu") == controllers.end()))
            return {};
        return Mount{words[3], words[4], is_version_2};
    }

    /// The folders of the group that this process is in and of those above it, as far as the mount shows them.
    std::vector<std::string> folders_of(const Mount& mount) const {
        std::vector<std::string> folders;
        std::istringstream lines{read(root_ + "/proc/self/cgroup")};
        for (std::string line; std::getline(lines, line);) {
            // `0::/group` in version 2, `4:cpu,cpuacct:/group` in version 1
            const std::size_t first = line.find(':'), second = line.find(':', first + 1);
            if (second == std::string::npos) continue;
            const std::vector<std::string> names = split(line.substr(first + 1, second - first - 1), ',');
            const bool is_version_2 = second == first + 1;
            if (is_version_2 != mount.is_version_2) continue;
            if (!is_version_2 && std::ranges::find(names, "cpu") == names.end()) continue;
            std::string path = line.substr(second + 1);
            // In a container the mount's root may be the process's group, or have a name that is of another namespace.
            if (mount.group != "/" && path.starts_with(mount.group)) path.erase(0, mount.group.size());
            for (; path.size() > 1; path.erase(path.rfind('/'))) folders.push_back(root_ + mount.folder + path);
            folders.push_back(root_ + mount.folder);
        }
        return folders;
    }

    /// `150000 100000` -> 1.5; `max 100000` -> no limit
    static double limit_2(const std::string& folder) {
        const std::vector<std::string> words = split(read(folder + "/cpu.max"), ' ');
        return words.size() == 2 ? quotient(words[0], words[1]) : -1;
    }
    /// A quota of -1 is no limit.
    static double limit_1(const std::string& folder) {
        return quotient(read(folder + "/cpu.cfs_quota_us"), read(folder + "/cpu.cfs_period_us"));
    }
    static double quotient(std::string_view quota, std::string_view period) {
        const std::optional<long> time = parse_number<long>(quota), of = parse_number<long>(period);
        return time && of && *time > 0 && *of > 0 ? static_cast<double>(*time) / static_cast<double>(*of) : -1;
    }

    /// A file's content without the line ends at its end; empty when it can't be read.
    static std::string read(const std::string& path) {
        std::ifstream file{path};
        std::string text{std::istreambuf_iterator<char>{file}, {}};
        while (text.ends_with('\n')) text.pop_back();
        return text;
    }
    static std::vector<std::string> split(const std::string& text, char separator) {
        std::vector<std::string> words;
        std::istringstream stream{text};
        for (std::string word; std::getline(stream, word, separator);)
            if (!word.empty()) words.push_back(word);
        return words;
    }

    std::string root_;
};

/// One thread per core that the process's affinity allows, and at most as many as its control groups allow; at least 1.
inline int available_threads() {
    const int cores = std::max(1, tbb::this_task_arena::max_concurrency());
    return std::min(cores, ControlGroups{}.cores().value_or(cores));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// Threads that this process may use: one per core of its affinity, at most as many as its control groups allow.
using detail::available_threads;

}  // namespace tenon::programs
