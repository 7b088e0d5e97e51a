#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How many threads this process should use when nobody says: one per core that it may use, and no more than its
// container has time for. A container with the time of 2 of 64 cores that runs 64 threads stops for most of every
// period.

#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/task_arena.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Reads the limits of Linux control groups, versions 1 and 2. `root` is where the file system begins, for tests.
template <class Once = void>
class ControlGroupsOf {
public:
    explicit ControlGroupsOf(std::string root = {}) : root_{std::move(root)} {}

    /// The processor time per second that all groups of this process allow, at least 1 core, rounded up: 2 for 150 ms
    /// in each 100 ms. Nothing when there is no limit, or no control groups.
    TENON_COLD std::optional<int> cores() const {
        double least = -1;
        const std::string mounts = read(joined({root_, "/proc/self/mountinfo"}));
        for (const std::string& line : split(mounts, '\n')) {
            const Mount mount = mount_of(line);
            if (mount.version == 0) continue;
            for (const std::string& folder : folders_of(mount))
                if (const double limit = mount.version == 2 ? limit_2(folder) : limit_1(folder); limit > 0)
                    least = least < 0 ? limit : std::min(least, limit);
        }
        if (least < 0) return {};
        constexpr double max_cores = 1 << 20;
        return std::max(1, static_cast<int>(detail::ceil(std::min(least, max_cores))));
    }

private:
    /// Where the groups of one kind are in the file system.
    struct Mount {
        std::string group, folder;  // the group that the folder shows
        int version = 0;            // 1 or 2; 0: it is no mount of groups that limit processor time
    };

    /// A line of mountinfo: `31 23 0:26 /group /sys/fs/cgroup rw,... shared:4 - cgroup2 cgroup2 rw,nsdelegate`.
    TENON_COLD static Mount mount_of(std::string_view line) {
        const std::vector<std::string> words = split(line, ' ');
        std::size_t dash = 0;
        while (dash < words.size() && words[dash] != "-") ++dash;
        if (words.size() < 6 || words.size() - dash < 4) return {};
        const bool is_version_2 = words[dash + 1] == "cgroup2";
        if (!is_version_2 && (words[dash + 1] != "cgroup" || !has_word(words[dash + 3], "cpu"))) return {};
        return {words[3], words[4], is_version_2 ? 2 : 1};
    }

    /// The folders of the group that this process is in and of those above it, as far as the mount shows them.
    TENON_COLD std::vector<std::string> folders_of(const Mount& mount) const {
        std::vector<std::string> folders;
        const std::string lines = read(joined({root_, "/proc/self/cgroup"}));
        for (const std::string& line : split(lines, '\n')) {
            // `0::/group` in version 2, `4:cpu,cpuacct:/group` in version 1
            const std::size_t first = line.find(':'), second = line.find(':', first + 1);
            if (second == line.npos) continue;
            const bool is_version_2 = second == first + 1;
            if (is_version_2 != (mount.version == 2)) continue;
            if (!is_version_2 && !has_word(line.substr(first + 1, second - first - 1), "cpu")) continue;
            std::string path = line.substr(second + 1);
            // In a container the mount's root may be the process's group, or have a name that is of another namespace.
            if (mount.group != "/" && path.starts_with(mount.group)) path.erase(0, mount.group.size());
            for (; path.size() > 1; path.erase(path.rfind('/'))) add_name(folders, joined({root_, mount.folder, path}));
            add_name(folders, joined({root_, mount.folder}));
        }
        return folders;
    }

    /// `150000 100000` -> 1.5; `max 100000` -> no limit
    TENON_COLD static double limit_2(const std::string& folder) {
        const std::vector<std::string> words = split(read(joined({folder, "/cpu.max"})), ' ');
        return words.size() == 2 ? quotient(words[0], words[1]) : -1;
    }
    /// A quota of -1 is no limit.
    TENON_COLD static double limit_1(const std::string& folder) {
        return quotient(read(joined({folder, "/cpu.cfs_quota_us"})), read(joined({folder, "/cpu.cfs_period_us"})));
    }
    TENON_COLD static double quotient(std::string_view quota, std::string_view period) {
        const double time = microseconds(quota), of = microseconds(period);
        return time > 0 && of > 0 ? time / of : -1;
    }
    /// A number of at most 18 digits; -1 for another text.
    TENON_COLD static double microseconds(std::string_view text) {
        if (text.empty() || text.size() > 18) return -1;
        double number = 0;
        for (const char c : text) {
            if (c < '0' || c > '9') return -1;
            number = number * 10 + (c - '0');
        }
        return number;
    }

    /// A file's content without the line ends at its end; empty when it can't be read.
    TENON_COLD static std::string read(const std::string& path) {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
        std::string text;
        char part[4096];
        for (std::size_t size = 1; file && size > 0;) {
            size = std::fread(part, 1, sizeof part, file.get());
            text.append(part, size);
        }
        while (text.ends_with('\n')) text.pop_back();
        return text;
    }

    /// The words of a text; `a,,b` -> a, b.
    TENON_COLD static std::vector<std::string> split(std::string_view text, char separator) {
        std::vector<std::string> words;
        while (!text.empty()) {
            const std::string_view word = text.substr(0, text.find(separator));
            text.remove_prefix(std::min(word.size() + 1, text.size()));
            if (!word.empty()) add_name(words, word);
        }
        return words;
    }
    TENON_COLD static bool has_word(std::string_view list, std::string_view word) {
        for (const std::string& each : split(list, ','))
            if (each == word) return true;
        return false;
    }

    std::string root_;
};
using ControlGroups = ControlGroupsOf<>;

/// One thread per core that the process's affinity allows, and at most as many as its control groups allow; at least 1.
template <class Once = void>
int available_threads() {
    const int cores = std::max(1, tbb::this_task_arena::max_concurrency());
    return std::min(cores, ControlGroups{}.cores().value_or(cores));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// Threads that this process may use: one per core of its affinity, at most as many as its control groups allow.
using detail::available_threads;

}  // namespace tenon::programs
