# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: the programs that this build has, their manual pages, units for systemd, and the
# engine as a library, for find_package(rotor) and for pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(target propctl proplet proplet-manager propsim rotor_tool rotorc)
  if(TARGET ${target})
    install(TARGETS ${target})
    string(REPLACE rotor_tool rotor name ${target})
    if(EXISTS ${CMAKE_SOURCE_DIR}/docs/man/${name}.1)
      install(FILES ${CMAKE_SOURCE_DIR}/docs/man/${name}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    endif()
  endif()
endforeach()

foreach(unit port/linux/proplet manager/proplet-manager)
  get_filename_component(name ${unit} NAME)
  if(TARGET ${name})
    configure_file(${CMAKE_SOURCE_DIR}/${unit}.service.in ${CMAKE_BINARY_DIR}/systemd/${name}.service @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/systemd/${name}.service DESTINATION lib/systemd/system)
  endif()
endforeach()

if(TARGET rotor AND TARGET rotor_import)
  set(archives ${CMAKE_INSTALL_LIBDIR}/rotor)
  install(TARGETS rotor rotor_import base EXPORT rotor ARCHIVE DESTINATION ${archives}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES ${CMAKE_SOURCE_DIR}/rotor/rotor.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/rotor)
  install(FILES ${CMAKE_SOURCE_DIR}/rotor/import/import.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/rotor/import)
  install(EXPORT rotor NAMESPACE rotor:: FILE rotor-config.cmake DESTINATION ${archives}/cmake)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/rotor-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/rotor-config-version.cmake DESTINATION ${archives}/cmake)
  configure_file(${CMAKE_SOURCE_DIR}/rotor/rotor.pc.in ${CMAKE_BINARY_DIR}/rotor.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/rotor.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
