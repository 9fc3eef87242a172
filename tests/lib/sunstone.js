// SPDX-License-Identifier: Apache-2.0
/*
 * sunstone.js MODULE before|after: what Sunstone's other modules are given of the constants once MODULE is
 * loaded, before or after those. The modules are scripts in one page, as the bundler makes them.
 */
const { readFileSync } = require('fs')
const vm = require('vm')

const [file, order] = process.argv.slice(2)

const kvm = { reboot: ['RUNNING'], migrate: ['RUNNING'], 'migrate-live': ['RUNNING'], suspend: ['RUNNING'],
  stop: ['RUNNING'], vnc: ['RUNNING'], poweroff: ['RUNNING'], 'attach-pci': ['POWEROFF'] }

const actions = { MIGRATE: 'migrate', MIGRATE_LIVE: 'migrate-live', RESCHED: 'resched', STOP: 'stop',
  SUSPEND: 'suspend', VNC: 'vnc', ATTACH_PCI: 'attach-pci', DETACH_PCI: 'detach-pci', BACKUP_CREATE: 'backup' }

const load = async (exported) => {
  const window = vm.createContext({ exported, console })

  vm.runInContext('var window = globalThis', window)

  const scripts = [
    'var ConstantsModule; ConstantsModule = { init: () => 1, get: async () => () => exported }',
    readFileSync(file, 'utf8'),
  ]

  if (order === 'before') scripts.reverse()
  scripts.forEach((script) => vm.runInContext(script, window))

  const factory = await vm.runInContext("ConstantsModule.init() && ConstantsModule.get('.')", window)

  return factory()
}

const run = async () => {
  const constants = await load({ HYPERVISORS: { kvm: 'kvm' }, VM_ACTIONS: actions, VM_ACTIONS_BY_STATE: { kvm } })

  console.log(JSON.stringify(constants.VM_ACTIONS_BY_STATE.onedock))
  console.log(JSON.stringify(constants.HYPERVISORS))

  // of another version, frozen, or with an entry of its own
  const unchanged = [
    {},
    { VM_ACTIONS: actions, VM_ACTIONS_BY_STATE: {} },
    { HYPERVISORS: Object.freeze({}), VM_ACTIONS: actions, VM_ACTIONS_BY_STATE: Object.freeze({ kvm }) },
    { HYPERVISORS: { onedock: 'x' }, VM_ACTIONS: actions, VM_ACTIONS_BY_STATE: { kvm, onedock: {} } },
  ]

  for (const exported of unchanged) {
    const before = JSON.stringify(exported)

    if (JSON.stringify(await load(exported)) !== before) throw new Error(`changed: ${before}`)
  }

  console.log('other constants are as they were')
}

run()
