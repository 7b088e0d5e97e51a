// What no file that uses tenon may hold: a function and a table of functions outside the instruction set's namespace.
namespace tenon {
int kernel(int value);
inline int shared_function(int value) { return value + 1; }
struct SharedTable {
    int (*run)(int);
};
template <int>
inline constexpr SharedTable shared_table{&kernel};
}  // namespace tenon

static int use(const tenon::SharedTable& table) { return tenon::shared_function(table.run(1)); }

int (*keep)(const tenon::SharedTable&) = &use;
static const tenon::SharedTable* keep_table = &tenon::shared_table<0>;
static int value = use(*keep_table);
int* keep_value = &value;
