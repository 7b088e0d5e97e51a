# Installs a built tenon into PREFIX, from which everything that an earlier run left is removed.
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${PREFIX} COMMAND_ERROR_IS_FATAL ANY)
