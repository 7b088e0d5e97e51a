#include <filesystem>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include <tenon/core/available_threads.hpp>

#include "../support.hpp"

namespace {

/// A file system in which a process is in the given groups.
struct Machine {
    Machine(const std::string& mounts, const std::string& groups) {
        write("/proc/self/mountinfo", mounts);
        write("/proc/self/cgroup", groups);
    }
    void write(const std::string& path, const std::string& text) const {
        const std::string file = folder.file("root" + path);
        std::filesystem::create_directories(std::filesystem::path(file).parent_path());
        tenon_test::write_file(file, text);
    }
    std::optional<int> cores() const { return tenon::detail::ControlGroups{folder.file("root")}.cores(); }

    tenon_test::TemporaryFolder folder;
};

const std::string mount_2 = "31 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string mount_1 = "35 32 0:30 / /sys/fs/cgroup/cpu,cpuacct ro shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
const std::string root_disk = "23 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n";

}  // namespace

TEST_CASE("the limit of a container's processor time is found, in both versions of control groups") {
    const Machine two{root_disk + mount_2, "0::/system.slice/docker-1.scope\n"};
    CHECK_FALSE(two.cores());
    two.write("/sys/fs/cgroup/system.slice/docker-1.scope/cpu.max", "max 100000\n");
    CHECK_FALSE(two.cores());
    for (const auto& [limit, cores] : {std::pair{"100000 100000\n", 1},
                                       {"150000 100000\n", 2},
                                       {"20000 100000\n", 1},
                                       {"800000 200000\n", 4},
                                       {"200001 100000\n", 3}}) {
        two.write("/sys/fs/cgroup/system.slice/docker-1.scope/cpu.max", limit);
        CHECK(two.cores() == cores);
    }
    // The least of the group and those above it.
    two.write("/sys/fs/cgroup/system.slice/cpu.max", "200000 100000");
    CHECK(two.cores() == 2);

    // Inside of a container the mount shows only its own group.
    const Machine inside{root_disk + mount_2, "0::/\n"};
    inside.write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    CHECK(inside.cores() == 3);

    const Machine one{root_disk + mount_1, "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/docker/1\n"};
    one.write("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "-1\n");
    one.write("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
    CHECK_FALSE(one.cores());
    one.write("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "100000\n");
    CHECK(one.cores() == 1);
    const Machine mapped{"35 32 0:30 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", "4:cpu:/docker/1\n"};
    mapped.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "700000");
    mapped.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "200000");
    CHECK(mapped.cores() == 4);
}

TEST_CASE("files of control groups that are absent or hold something else are no limit") {
    CHECK_FALSE(tenon::detail::ControlGroups{"/no/such/folder"}.cores());
    const Machine broken{"31 23\n- - -\n\n31 23 0:26 / /sys/fs/cgroup rw -\n" + mount_2, "0::/a\n:\n7\n"};
    for (const char* const limit : {"", "max", "0 100000", "-5 100000", "100000 0", "100000", "a b", "1e5 100000"}) {
        broken.write("/sys/fs/cgroup/a/cpu.max", limit);
        CHECK_FALSE(broken.cores());
    }
    broken.write("/sys/fs/cgroup/a/cpu.max", "9000000000000000 1");
    CHECK(broken.cores() == 1 << 20);
    CHECK(tenon::detail::available_threads() >= 1);
    CHECK(tenon::detail::available_threads() <= tbb::this_task_arena::max_concurrency());
}
