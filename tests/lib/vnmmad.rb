# frozen_string_literal: true

# SPDX-License-Identifier: Apache-2.0

# For tests: as much of OpenNebula's network drivers (VNM) as a hypervisor's class sees of them, and a
# command line to call that class with.
#
#   ruby vnmmad.rb CLASS_FILE HYPERVISOR tap VM_DEPLOY_ID [KEY=VALUE]…        prints the NIC's host end
#   ruby vnmmad.rb CLASS_FILE HYPERVISOR set_qos VM_DEPLOY_ID [KEY=VALUE]…
#
# The pairs are the elements of the NIC, as KEY in lower case; an empty deploy id is one not known yet.

module VNMMAD

    module VNMNetwork

        HYPERVISORS = {} # rubocop:disable Style/MutableConstant

        class Nic < Hash

        end

        # The VM, of which a NIC may ask for the deploy id and for elements of its XML.
        VM = Struct.new(:deploy_id, :xml, :vm_info) do
            def [](name)
                xml[name]
            end
        end

    end

end

file, hypervisor, action, deploy_id, *pairs = ARGV
require File.expand_path(file)

network = VNMMAD::VNMNetwork
vm  = network::VM.new(deploy_id.empty? ? nil : deploy_id, { 'DEPLOY_ID' => 'one-99' }, {})
nic = network::HYPERVISORS.fetch(hypervisor).new
abort 'not derived from Nic' unless nic.is_a?(network::Nic)

pairs.each do |pair|
    key, value = pair.split('=', 2)
    nic[key.to_sym] = value
end

begin
    nic.get_info(vm)
    abort 'get_tap does not return the NIC' unless nic.get_tap(vm).equal?(nic)

    case action
    when 'tap' then puts nic[:tap]
    when 'set_qos' then nic.set_qos(deploy_id)
    end
rescue StandardError => e
    abort e.message
end
