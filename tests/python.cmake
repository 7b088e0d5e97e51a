# tenon_find_python(VARIABLE module...): a Python that has the modules, which CMake's may lack where Debian's has them;
# CMake's if none has. Tests say themselves what they miss.
function(tenon_find_python variable)
  list(JOIN ARGN "', '" modules)
  foreach(python ${Python3_EXECUTABLE} /usr/bin/python3)
    execute_process(
      COMMAND ${python} -c "from importlib.util import find_spec; exit(not all(map(find_spec, ['${modules}'])))"
      RESULT_VARIABLE result
      OUTPUT_QUIET ERROR_QUIET)
    if(result EQUAL 0)
      set(${variable} ${python} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${variable} ${Python3_EXECUTABLE} PARENT_SCOPE)
endfunction()
