// SPDX-License-Identifier: Apache-2.0
/*
 * Sunstone's actions for VMs of the driver onedock.
 *
 * Which action Sunstone (FireEdge of OpenNebula 7) offers in which state of a VM is looked up in a table by
 * the name of the hypervisor, VM_ACTIONS_BY_STATE of its module of constants. The table knows OpenNebula's
 * own hypervisors; for any other every action is grey, and no configuration can change that. But the
 * modules that a browser loads are listed in remotes-config.yaml, and this one, which vmdock-setup(8) adds
 * to that list, puts onedock into the table.
 *
 * The browser runs this file as it stands. It must never be the reason that a page does not load: it changes
 * nothing where the constants look different, and it throws nothing.
 */
(() => {
  const MODULE = 'ConstantsModule'

  // What a host of this driver refuses (vmdock-one(8)) is not offered. Migration is cold, and so it is
  // offered for a VM that is off.
  const actionsOf = ({ VM_ACTIONS: action, VM_ACTIONS_BY_STATE: table }) => {
    const actions = { ...table.kvm }

    const refused = [
      action.MIGRATE_LIVE,
      action.STOP,
      action.SUSPEND,
      action.VNC,
      action.ATTACH_PCI,
      action.DETACH_PCI,
      action.BACKUP_CONFIGURE,
      action.BACKUP_CREATE,
      action.BACKUP_RESTORE,
    ]

    refused.forEach((name) => delete actions[name])

    const moved = [action.MIGRATE, action.RESCHED]

    moved.forEach((name) => {
      if (actions[name]) actions[name] = ['POWEROFF']
    })

    return actions
  }

  // The name among the hypervisors is what the form of a VM template offers, with the requirement of hosts
  // that goes with it. Both are objects that the other modules hold too, and so they are added to.
  const extend = (constants) => {
    const { HYPERVISORS, VM_ACTIONS, VM_ACTIONS_BY_STATE } = constants ?? {}

    if (HYPERVISORS && VM_ACTIONS && VM_ACTIONS_BY_STATE?.kvm) {
      try {
        VM_ACTIONS_BY_STATE.onedock ??= actionsOf(constants)
        HYPERVISORS.onedock ??= 'onedock'
      } catch (error) {
        console.warn('OnedockModule: the constants cannot be extended', error)
      }
    }

    return constants
  }

  // A module as the bundler makes it: get() promises a function that makes what it exports. Other modules
  // have the constants only by way of it.
  const extended = (module) =>
    module && {
      ...module,
      get: (name) => module.get(name).then((factory) => () => extend(factory())),
    }

  // All modules are loaded at once, so that the constants may be there already or come later.
  if (window[MODULE]) {
    window[MODULE] = extended(window[MODULE])

    return
  }

  let module

  Object.defineProperty(window, MODULE, {
    configurable: true,
    get: () => module,
    set: (loaded) => {
      module = extended(loaded)
    },
  })
})()
