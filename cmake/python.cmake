# The interpreter of the tests, found once: Python3::Interpreter and Python3_EXECUTABLE, if
# Python3_Interpreter_FOUND. What is found first may be a script that looks for the right version
# each time, and takes longer for that than most tests: it is asked once what it runs.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
  execute_process(COMMAND "${Python3_EXECUTABLE}" -c "import sys; print(sys.executable)"
    OUTPUT_VARIABLE what_it_runs OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(what_it_runs AND EXISTS "${what_it_runs}")
    set(Python3_EXECUTABLE "${what_it_runs}")
    set_target_properties(Python3::Interpreter PROPERTIES IMPORTED_LOCATION "${what_it_runs}")
  endif()
endif()
