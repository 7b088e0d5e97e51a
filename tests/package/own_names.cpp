// A program that brings in everything a door exports and has names of its own, which the library once used up for its
// kernels. TENON_DOOR is one of the doors, given on the command line.
#include TENON_DOOR

using namespace tenon;

struct Task {
    int index = 0;
};
struct Step {};
struct Items {};
struct Range {};
struct Tensor {};
struct Vector {};
struct Frame {};
struct Team {};
struct Classifier {};
int block = 1, lanes = 2;
int share(int count) { return count / 2; }
int add(int a, int b) { return a + b; }
int zero() { return 0; }
int load(const int* from) { return *from; }
void store(int* to, int value) { *to = value; }
int keep(int value) { return value; }
int drop(int value) { return value - value; }
int partial(int value) { return value; }

int main() {
    Task task;
    [[maybe_unused]] Step step;
    [[maybe_unused]] Items items;
    [[maybe_unused]] Range range;
    [[maybe_unused]] Tensor tensor;
    [[maybe_unused]] Vector vector;
    [[maybe_unused]] Frame frame;
    [[maybe_unused]] Team team;
    [[maybe_unused]] Classifier classifier;
    store(&task.index, add(share(block + lanes), zero()));
    return drop(keep(partial(load(&task.index))));
}
