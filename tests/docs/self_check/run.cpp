// Follows the snippets of correct.md: it sees what they define, runs, and says that something is wrong.
int main() {
    const snippet_2::Pair pair{3, 4};
    std::printf("first and second are %d and %d, which is wrong\n", pair.first, pair.second);
    return 1;
}
